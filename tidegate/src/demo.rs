//! `tidegate demo`: the example shop behind a gateway, in one process, with nothing else installed.
//!
//! The gateway is started from a config file and `.proto` files on disk, as `tidegate run` is: what the
//! demo shows is the program, not a mock of it.

mod breaker;
mod canaries;
mod client;
mod limits;
mod stage;
mod tour;

use crate::exit::{Exit, print};
use crate::run::Signals;
use crate::serve::{self, Given, Serving};
use crate::start;
use stage::Stage;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use tidegate_control::admin::LogLevel;
use tidegate_shop::tour::STEPS;

/// The command is shown in the help.
pub(crate) const HIDDEN: bool = false;

/// Where the README's curl lines go.
const DEFAULT_PORT: u16 = 8080;

/// What `tidegate demo` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Make the tour, check every answer, and exit: 0 if all were right.
    #[arg(long)]
    once: bool,

    /// The gateway's port on loopback; 0 takes a free one. Without it: 8080, or a free one if that is taken.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// The port of the shop's gRPC services on loopback; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    shop_port: u16,

    /// The port of metrics and health on loopback; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    admin_port: u16,
}

/// Starts shop and gateway; then makes the tour, or serves until a signal.
pub(crate) fn run(arguments: &Arguments, log: Arc<dyn LogLevel>) -> Exit {
    let gateway = loopback(arguments.port.unwrap_or_else(|| if arguments.once { 0 } else { default_port() }));
    let stage = match Stage::set(loopback(arguments.shop_port), gateway, loopback(arguments.admin_port), arguments.once)
    {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("error: the demo cannot start: {error}");
            return Exit::Failure;
        }
    };
    let given = Given { log: Some(log), ..Given::default() };
    let started = serve::runtime().and_then(|runtime| {
        let mut signals = Signals::on(&runtime)?;
        let started = start::file(stage.config(), &runtime, &mut signals)?;
        Ok((Serving::start(runtime, started, given, &mut signals)?, signals))
    });
    let (serving, mut signals) = match started {
        Ok(started) => started,
        Err(failure) => return failure.tell(),
    };
    let Some(&address) = serving.addresses().first() else { return Exit::Failure };
    if arguments.once {
        let exit = serving.run(tour::make(address, &serving));
        serving.stop(|| {}, std::future::pending());
        return exit;
    }
    print(&introduction(&stage, address, serving.admin()));
    serving.run(signals.next());
    serving.stop(|| {}, async {
        signals.next().await;
    });
    Exit::Success
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// 8080 if nobody listens there.
fn default_port() -> u16 {
    TcpListener::bind(loopback(DEFAULT_PORT)).map_or(0, |_| DEFAULT_PORT)
}

fn introduction(stage: &Stage, gateway: SocketAddr, admin: Option<SocketAddr>) -> String {
    let base = format!("http://{gateway}");
    let mut text = format!("The gateway listens on {base}, before the shop's gRPC services on {}.\n", stage.shop());
    if let Some(admin) = admin {
        text.push_str(&format!("Metrics are at http://{admin}/metrics. "));
    }
    text.push_str(&format!("The config is {}.\n\nTry:\n", stage.config().display()));
    for step in STEPS.iter().filter(|step| step.readme) {
        text.push_str(&format!("\n  # {}\n  {}\n", step.title, step.curl(&base)));
    }
    text.push_str(&format!("\n  # calls that fail are not made for a while\n  {}\n", breaker::curl(&base)));
    text.push_str(&format!("\n  # who asks too much is refused\n  {}\n", limits::curl(&base)));
    text.push_str("\nCtrl-C stops it.\n");
    text
}
