//! The clock that tests set.

use honker_core::{Ctx, Result, clock};

use super::Output;
use crate::arguments::Arguments;

pub fn set(_ctx: &Ctx<'_>, arguments: &Arguments<'_>) -> Result<Output> {
    let at = arguments.optional_instant(0, "unix_s")?;
    clock::stop(at);
    Ok(at.into())
}
