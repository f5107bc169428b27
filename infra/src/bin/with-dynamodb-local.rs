//! Runs a command with a fresh `DynamoDB` Local: `with-dynamodb-local COMMAND…`.
//!
//! The command finds the URL of the engine in `DYNAMODB_ENDPOINT`. The exit code is that of the command.

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use infra::aws::engine::DynamoDbLocal;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(status) => exit_code(status),
        Err(error) => {
            eprintln!("with-dynamodb-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitStatus, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("usage: with-dynamodb-local COMMAND…")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dynamodb-local");
    let engine = DynamoDbLocal::start(&folder).await?;
    let mut command = Command::new(&program)
        .args(arguments)
        .env("DYNAMODB_ENDPOINT", engine.endpoint())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let status = wait(&mut command).await?;
    engine.stop().await?;
    Ok(status)
}

/// Waits until the command exits.
///
/// Signals are left to the command, so that the engine outlives it.
async fn wait(command: &mut Child) -> Result<ExitStatus, Box<dyn Error>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            status = command.wait() => return Ok(status?),
            // The terminal sends SIGINT to the command as well.
            _ = interrupts.recv() => {}
            _ = terminations.recv() => terminate(command)?,
        }
    }
}

fn terminate(command: &Child) -> Result<(), Box<dyn Error>> {
    let id = command.id().map(i32::try_from).transpose()?;
    if let Some(id) = id.and_then(Pid::from_raw) {
        kill_process(id, Signal::TERM)?;
    }
    Ok(())
}

/// The exit code of the command.
///
/// If a signal ended the command, the code is 128 plus the signal number, as in a shell.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    let code = code.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
