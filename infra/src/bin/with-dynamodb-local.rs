//! `with-dynamodb-local COMMAND…` runs a command beside a fresh `DynamoDB` Local, whose URL is in `DYNAMODB_ENDPOINT`,
//! and exits with the command's code.

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use infra::engine::DynamoDbLocal;
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

/// Waits for the command to end. A request to end is the command's to obey, so that the engine outlives it.
async fn wait(command: &mut Child) -> Result<ExitStatus, Box<dyn Error>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            status = command.wait() => return Ok(status?),
            // The terminal sends this one to the command as well.
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

/// A command that a signal ended exits as a shell would: 128 and the signal's number.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    let code = code.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
