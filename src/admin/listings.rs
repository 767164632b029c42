//! `POST /listings`: things that the operator puts up for sale for somebody.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::UserId;
use barterline_storage::audit::Actor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Admin;
use crate::rest::extract::Body;
use crate::rest::listings::create::Request;
use crate::rest::problem::{Code, Problem};
use crate::services::audit::{Action, Note};
use crate::services::listings::Offer;

/// Most of one request.
const LISTINGS_MAX: usize = 500;

/// Whose, and what: each as in `POST /v1/listings`.
#[derive(Deserialize)]
pub struct Order {
    seller: UserId,
    listings: Vec<Value>,
}

/// What became of them.
#[derive(Default, Serialize, Deserialize)]
pub struct Done {
    /// How many were put up.
    pub made: usize,
    /// The others.
    pub refused: Vec<Refused>,
}

/// One that was not put up.
#[derive(Serialize, Deserialize)]
pub struct Refused {
    /// Which of the request, from 0.
    pub at: usize,
    /// Why, as a problem.
    pub problem: Value,
}

/// Puts up what can be, and says what not and why.
pub async fn import(
    State(admin): State<Admin>,
    Body(order): Body<Order>,
) -> Result<Json<Done>, Problem> {
    let Order { seller, listings } = order;
    if listings.len() > LISTINGS_MAX {
        return Err(Problem::invalid("500 listings at most"));
    }
    let (staff, service) = (admin.staff_tools()?, admin.listings()?);
    let mut done = Done::default();
    let (mut places, mut offers) = (Vec::new(), Vec::new());
    for (at, listing) in listings.into_iter().enumerate() {
        match offer(listing) {
            Ok(offer) => {
                places.push(at);
                offers.push(offer);
            }
            Err(problem) => done.refused.push(Refused { at, problem: problem.example() }),
        }
    }
    let note = Note::new(Actor::Operator, Action::ListingsImport).about(&seller);
    staff.note_done(note.with("count", &offers.len())).await;
    let made = service.create_for(seller, offers).await?.ok_or(Code::AccountNotFound)?;
    for (at, made) in places.into_iter().zip(made) {
        match made {
            Ok(_) => done.made += 1,
            Err(error) => {
                let problem = Problem::from(error).example();
                done.refused.push(Refused { at, problem });
            }
        }
    }
    done.refused.sort_by_key(|refused| refused.at);
    Ok(Json(done))
}

fn offer(listing: Value) -> Result<Offer, Problem> {
    let request: Request = serde_json::from_value(listing)
        .map_err(|error| Problem::invalid(format!("not a listing: {error}")))?;
    request.try_into()
}
