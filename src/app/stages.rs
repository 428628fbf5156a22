//! Builds the five stages from settings, zoo and universe: the same for live, demo and lockstep.

use anyhow::{Result, anyhow};

use super::zoo::Zoo;
use super::zoo_watch::ZooWatch;
use crate::clock::{Clock, MINUTE, SessionTime};
use crate::config::Settings;
use crate::decision::{DecisionStage, Window};
use crate::domain::calendar::{Date, regular_hours};
use crate::domain::{ClientId, Instrument, ProcessEpoch};
use crate::features::FeaturesStage;
use crate::feed::FeedStage;
use crate::pipeline::group::Stages;
use crate::routing::{Identity, Recovered, RoutingStage};

/// When the session trades and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What decision keeps to.
    pub window: Window,
    /// The end: a flat book, or what is held is listed.
    pub end: SessionTime,
}

impl Plan {
    /// The plan of a session that starts now: to the closing bell, or for `minutes`.
    ///
    /// # Errors
    /// There is no regular session now, or it is over.
    pub fn new(settings: &Settings, now: SessionTime, minutes: Option<i64>) -> Result<Self> {
        let date = Date::new_york(now);
        let hours = regular_hours(date).ok_or_else(|| {
            anyhow!("{} is no trading day of the NYSE calendar that this program knows; nothing to trade", date.0)
        })?;
        let end = minutes.map_or(hours.close, |m| now.floor_to(MINUTE) + m * MINUTE).min(hours.close);
        if now >= end {
            return Err(anyhow!("the session of {} ended at {}; start before the close", date.0, hours.close));
        }
        let entries_from = hours.open + settings.session.entries_after_open_min * MINUTE;
        let flat_from = end - settings.session.flat_before_end_min * MINUTE;
        Ok(Self { window: Window { entries_from, flat_from }, end })
    }
}

/// All five stages, and what watches the zoo of the third.
///
/// # Errors
/// A model fails its warm-up, or the journal contradicts the universe.
pub fn build<C: Clock + Clone>(
    settings: &Settings,
    zoo: Zoo,
    instruments: &[Instrument],
    plan: &Plan,
    process_epoch: ProcessEpoch,
    recovered: &Recovered,
    clock: &C,
) -> Result<(Stages<C>, ZooWatch)> {
    let symbols = instruments.len();
    let identity = Identity { process_epoch, client: ClientId(settings.broker.client_id), account_verified: true };
    let routing = RoutingStage::new(settings.routing.clone(), instruments.to_vec(), identity, recovered)
        .map_err(|e| anyhow!(e))?;
    let calibration = zoo.calibration;
    let (inference, watch) = zoo.into_stage(symbols, settings.inference.budget_ms, clock.clone())?;
    let stages = Stages {
        feed: Some(FeedStage::new(settings.feed.clone(), symbols)),
        features: Some(FeaturesStage::new(&settings.features, symbols)),
        inference: Some(inference),
        decision: Some(DecisionStage::new(settings.decision.clone(), calibration, plan.window, symbols)),
        routing: Some(routing),
    };
    Ok((stages, watch))
}
