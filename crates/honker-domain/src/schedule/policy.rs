//! The policies of a schedule, which decide whether a boundary becomes a job.

/// A policy with its values and the names under which they are stored.
macro_rules! policy {
    ($(#[$about:meta])* $policy:ident { $($(#[$value_about:meta])* $value:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $policy {
            $($(#[$value_about])* $value,)+
        }

        impl $policy {
            /// Every name.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The name under which the policy is stored.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)+
                }
            }

            /// The policy of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}

policy! {
    /// The policy for boundaries that passed without a tick.
    Misfire {
        /// Fire each of them, up to [`crate::limits::CATCH_UP_FIRES`].
        CatchUp = "catch_up",
        /// Fire once for all of them.
        Once = "once",
        /// Fire none that is later than [`crate::limits::MISFIRE_GRACE`].
        Skip = "skip",
    }
}

policy! {
    /// The policy for a boundary that comes before the job of the last firing has ended.
    Overlap {
        /// Fire: the jobs queue up.
        Queue = "queue",
        /// Pass over the boundary.
        Skip = "skip",
    }
}

policy! {
    /// The policy for a boundary that comes while the schedule's queue is paused.
    WhenPaused {
        /// Fire: the job waits for the end of the pause.
        Enqueue = "enqueue",
        /// Pass over the boundary.
        Skip = "skip",
    }
}
