//! The load itself, by goose: users who write, one write after the other.

use std::{path::Path, pin::Pin, sync::Arc};

use anyhow::Context as _;
use goose::{
    GooseAttack,
    config::GooseConfiguration,
    goose::{GooseMethod, GooseRequest, GooseUser, Scenario, Transaction, TransactionResult},
};
use tokio::time::Instant;

use crate::{
    progress::Progress,
    scenario::{Length, Plan, Turn},
    target::{Answer, Target, TargetKind, answer},
};

/// All that a user needs.
#[derive(Clone)]
struct Writer {
    target: Target,
    plan: Arc<Plan>,
    progress: Arc<Progress>,
}

/// Runs until the plan's end, and has goose write its report there.
pub(crate) async fn run(
    target: Target,
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    html: &Path,
) -> anyhow::Result<()> {
    let configuration = configuration(&target, &plan, html);
    let pause = plan.pause;
    let writer = Writer {
        target,
        plan,
        progress,
    };
    let write = Transaction::new(Arc::new(move |user| {
        let writer = writer.clone();
        let written: Pin<Box<dyn Future<Output = TransactionResult> + Send + '_>> =
            Box::pin(async move { writer.write(user).await });
        written
    }));
    let scenario = Scenario::new("writers")
        .register_transaction(write.set_name("write"))
        .set_wait_time(pause, pause)?;
    GooseAttack::initialize_with_config(configuration)?
        .register_scenario(scenario)
        .execute()
        .await
        .context("run the load")?;
    Ok(())
}

fn configuration(target: &Target, plan: &Plan, html: &Path) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    configuration.host.clone_from(&target.base_url);
    configuration.users = Some(plan.users);
    configuration.hatch_rate = Some(plan.ramp.to_string());
    match plan.length {
        Length::Time(time) => configuration.run_time = format!("{}s", time.as_secs().max(1)),
        Length::Writes(writes) => configuration.iterations = writes,
    }
    configuration.report_file = vec![html.display().to_string()];
    // goose refuses it where it would reset nothing.
    configuration.no_reset_metrics = matches!(plan.length, Length::Time(_));
    // Our own lines tell how it goes. Told not to print its metrics at the end, it writes no report either.
    configuration.quiet = 1;
    configuration.no_telnet = true;
    configuration.no_websocket = true;
    configuration
}

impl Writer {
    /// One write, as often as it takes.
    async fn write(&self, user: &mut GooseUser) -> TransactionResult {
        let turn = self.plan.turn();
        loop {
            let began = Instant::now();
            let found = match self.target.is_http() {
                true => self.send(user, turn).await?,
                false => self.target.upsert(turn).await,
            };
            let wait = self.progress.answered(turn, &found, began.elapsed());
            let Some(wait) = wait else { return Ok(()) };
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(
        &self,
        user: &mut GooseUser,
        turn: Turn,
    ) -> Result<Answer, Box<goose::goose::TransactionError>> {
        let method = match self.target.kind {
            TargetKind::Ingest => GooseMethod::Post,
            TargetKind::Upsert | TargetKind::QdrantRest | TargetKind::QdrantGrpc => {
                GooseMethod::Put
            }
        };
        let mut request = user
            .get_request_builder(&method, &self.target.path)?
            .header("content-type", "application/json")
            .body(self.target.body(turn));
        if let Some(key) = &self.target.api_key {
            request = request.header("api-key", key);
        }
        let mut wanted = GooseRequest::builder()
            .method(method)
            .path(self.target.path.as_str())
            .set_request_builder(request);
        if turn.is_poison {
            wanted =
                wanted
                    .name("write with a bad point")
                    .expect_status_code(match self.target.kind {
                        TargetKind::Ingest | TargetKind::Upsert => 422,
                        TargetKind::QdrantRest | TargetKind::QdrantGrpc => 400,
                    });
        } else {
            wanted = wanted.name("write");
        }
        let got = user.request(wanted.build()).await?;
        let response = match got.response {
            Ok(response) => response,
            Err(error) => return Ok(Answer::Failed(error.to_string())),
        };
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok().map(str::to_owned));
        // Read to its end, so that the connection serves the next.
        if let Err(error) = response.bytes().await {
            return Ok(Answer::Failed(error.to_string()));
        }
        Ok(answer(status, retry_after.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arguments, scenario::Scenario as Load, target::TargetKind};
    use clap::{Parser as _, ValueEnum as _};

    #[test]
    fn no_scenario_asks_goose_for_what_excludes_each_other() {
        let arguments = Arguments::parse_from(["alioth-loadtest", "--seconds", "5"]);
        for load in Load::value_variants() {
            let plan = load.plan().with(&arguments);
            let target = TargetKind::Ingest
                .open(&arguments, &plan)
                .expect("a target");
            let configuration = configuration(&target, &plan, Path::new("report.html"));
            let by_time = !configuration.run_time.is_empty();
            assert_ne!(by_time, configuration.iterations > 0, "{load}");
            assert_eq!(by_time, configuration.no_reset_metrics, "{load}");
        }
    }
}
