//! `POST /keys/reseal`: what earlier keys sealed is sealed by the newest.

use axum::Json;
use axum::extract::State;
use barterline_storage::audit::Actor;
use barterline_storage::bulk::{Item, Kind};
use serde::Serialize;

use super::Admin;
use crate::rest::problem::Problem;
use crate::services::accounts::Resealed;
use crate::services::audit::{Action, Note};

/// What was looked at, and what became of it.
#[derive(Default, Serialize)]
pub struct Done {
    /// All accounts.
    accounts: u64,
    /// Those of whom something was sealed anew.
    sealed_anew: u64,
    /// Those of whom something does not open: its key is missing.
    unopened: u64,
}

/// Answers once everything was looked at. Whoever is cut off says it again.
pub async fn reseal(State(admin): State<Admin>) -> Result<Json<Done>, Problem> {
    let (staff, source) = (admin.staff_tools()?, admin.keeper()?.source());
    staff.note_done(Note::new(Actor::Operator, Action::KeysReseal)).await;
    let (mut done, mut after) = (Done::default(), None);
    loop {
        let page = source.page(Kind::Accounts, after.as_ref()).await?;
        for (_, item) in page.items {
            let Item::Account(account) = item else { continue };
            done.accounts += 1;
            match staff.reseal(account.id).await? {
                Resealed::AsTheyWere => {}
                Resealed::Anew => done.sealed_anew += 1,
                Resealed::Unopened => done.unopened += 1,
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(Json(done));
        }
    }
}
