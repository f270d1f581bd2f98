//! The default policies, and tokens for them.

use std::sync::LazyLock;
use std::time::Duration;

use cedargate::model::Profile;
use cedargate::{Pdp, Principal};

/// A busy machine is no reason for a test to fail, so the deadline is long.
pub static PDP: LazyLock<Pdp> = LazyLock::new(|| Pdp::builder().deadline(Duration::from_secs(60)).build().unwrap());

/// A general token that is bound as this says.
pub fn token(bind: impl FnOnce(&mut Profile)) -> Principal {
    let mut profile = Profile::general("tok_app");
    bind(&mut profile);
    PDP.principal(&profile).unwrap()
}

/// A general token that is bound to these models.
pub fn of_models(models: &[&str]) -> Principal {
    token(|profile| profile.bindings.models = Some(models.iter().map(|model| (*model).to_owned()).collect()))
}
