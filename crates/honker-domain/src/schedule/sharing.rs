//! Schedules in files that the reference works beside us.
//!
//! One expression that the reference cannot parse makes its tick raise for all schedules. So in a shared file expressions are
//! stored in its form: numbers only. Its rules differ in two more ways, which no form expresses: with two restricted day
//! fields it fires on days that meet both, and it ignores time zones. [`hazards`] lists the schedules concerned.

use rusqlite::{Connection, params};

use super::{cron, interval};
use crate::statements::pass_over;
use crate::{Ctx, Error, Result, sql};

/// The expression as this file stores it. Run in a transaction, see [`Ctx::is_shared`].
///
/// # Errors
/// `HONKER_INVALID_ARGUMENT` for one that a shared file cannot hold.
pub(super) fn stored(ctx: &Ctx<'_>, expression: &str) -> Result<String> {
    if !ctx.is_shared()? {
        return Ok(expression.to_owned());
    }
    numeric(expression).map_err(|why| {
        let problem = format!(
            "{expression:?} cannot be read by the reference, with which this file is shared: {why}; write numbers, lists, \
             ranges and steps, or remove the mark by honker_file_share(0)"
        );
        Error::invalid("expr:", problem)
    })
}

fn numeric(expression: &str) -> std::result::Result<String, String> {
    let text = expression.trim();
    if text.starts_with(interval::PREFIX) { Ok(text.to_owned()) } else { cron::numeric(text) }
}

/// Rewrites the schedules that the file holds in the form that the reference reads. Returns the names of those that have
/// none; they stay as they are.
pub(crate) fn make_numeric(conn: &Connection) -> Result<Vec<String>> {
    let mut unreadable = Vec::new();
    let mut select = conn.prepare("SELECT rowid, name, cron_expr FROM main._honker_scheduler_tasks")?;
    let schedules = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let schedules: Vec<(i64, String, String)> = schedules.filter_map(rusqlite::Result::ok).collect();
    for (rowid, name, expression) in schedules {
        match numeric(&expression) {
            Ok(numeric) if numeric == expression => {}
            Ok(numeric) => {
                let update = "UPDATE main._honker_scheduler_tasks SET cron_expr = ?2 WHERE rowid = ?1";
                pass_over(&mut conn.prepare(update)?.query(params![rowid, numeric])?)?;
            }
            Err(_) => unreadable.push(name),
        }
    }
    Ok(unreadable)
}

/// The name and the problem of each schedule that the reference fires at other times than we, or cannot read.
pub(crate) fn hazards(ctx: &Ctx<'_>) -> Result<Vec<(String, &'static str)>> {
    let mut found = Vec::new();
    for (name, expression, zone) in ctx.rows(sql!("expressions.sql"), [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
    })? {
        if numeric(&expression).is_err() {
            found.push((name.clone(), "the reference cannot read cron_expr, and no schedule fires in its processes"));
        } else if cron::is_either_day_enough(&expression) {
            found.push((
                name.clone(),
                "both day fields are restricted: honker fires if one of them matches, the reference only if both do; \
                 write + before the day of the week to ask for both",
            ));
        }
        if zone.is_some() {
            found.push((name, "it has a time zone, which the reference ignores"));
        }
    }
    Ok(found)
}
