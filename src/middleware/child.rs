//! The process: started, fed, read and ended. Threads write and read, so that a full pipe on one side cannot hold up the other.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use mynah_traffic::gor::{BadLine, Record};

use crate::exit::{Exit, Failure, fail};

/// Lines that wait to be written. What is in them is bounded by who sends them.
const WAITING_IN: usize = 1024;
/// Lines that were read and wait to be taken.
const WAITING_OUT: usize = 64;
/// The protocol has no limit to a line. This one keeps a child that writes no line break from taking all memory.
const LONGEST_LINE: u64 = 1 << 30;
/// A child that was told to end has this long.
const GRACE: Duration = Duration::from_secs(5);

/// What comes from the child: a record, or why a line is none.
pub(super) type Answer = Result<Record, BadLine>;

/// What became of a line that was to be written.
pub(super) enum Sent {
    Queued,
    /// The queue is full: the line, to try again.
    Full(Vec<u8>),
    /// Nobody reads any more.
    Closed,
}

/// A middleware process.
pub(super) struct Child {
    command: String,
    process: std::process::Child,
    input: Option<SyncSender<Vec<u8>>>,
    output: Receiver<Answer>,
}

impl Child {
    pub(super) fn start(command: &str) -> Result<Child, Failure> {
        let words =
            words(command).map_err(|why| fail(Exit::Usage, format!("--middleware `{command}`: {why}")))?;
        let cannot = |why: &dyn std::fmt::Display| {
            fail(Exit::Usage, format!("cannot start the middleware `{command}`: {why}"))
        };
        let (program, arguments) = words.split_first().ok_or_else(|| cannot(&"no command is named"))?;
        let mut start = Command::new(program);
        start.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for us: the child ends when its input does.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut start, 0);
        let mut process = start.spawn().map_err(|error| cannot(&error))?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(cannot(&"it has no standard input or output"));
        };
        let (input, lines) = sync_channel(WAITING_IN);
        let (answers, output) = sync_channel(WAITING_OUT);
        let thread = |name: &str| std::thread::Builder::new().name(format!("middleware-{name}"));
        let child = Child { command: command.to_owned(), process, input: Some(input), output };
        thread("in").spawn(move || write(&lines, stdin)).map_err(|error| cannot(&error))?;
        thread("out").spawn(move || read(stdout, &answers)).map_err(|error| cannot(&error))?;
        Ok(child)
    }

    /// Queues a line. Does not wait.
    pub(super) fn send(&self, line: Vec<u8>) -> Sent {
        let Some(input) = &self.input else { return Sent::Closed };
        match input.try_send(line) {
            Ok(()) => Sent::Queued,
            Err(TrySendError::Full(line)) => Sent::Full(line),
            Err(TrySendError::Disconnected(_)) => Sent::Closed,
        }
    }

    /// An answer that is there.
    pub(super) fn answer(&self) -> Result<Answer, TryRecvError> {
        self.output.try_recv()
    }

    /// An answer that comes within this time.
    pub(super) fn answer_within(&self, time: Duration) -> Result<Answer, RecvTimeoutError> {
        self.output.recv_timeout(time)
    }

    /// Where lines go to and answers come from, for who has threads of its own for them.
    pub(super) fn take_output(&mut self) -> Receiver<Answer> {
        let (_, nothing) = sync_channel(0);
        std::mem::replace(&mut self.output, nothing)
    }

    /// Ends the child's input: what is queued is written before.
    pub(super) fn close(&mut self) {
        self.input = None;
    }

    /// How the child ended, or `None` when it goes on after a time of grace.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + GRACE;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// A failure that names the command.
    pub(super) fn failure(&self, what: &str) -> Failure {
        fail(Exit::Input, format!("the middleware `{}` {what}", self.command))
    }

    /// The failure of one that went away while it was needed.
    pub(super) fn gone(&mut self) -> Failure {
        match self.ended() {
            Some(status) => self.failure(&format!("ended early ({status}), with messages still to come")),
            None => self.failure("closed its standard output, with messages still to come"),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.input = None;
        // Both fail where it has ended, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl std::fmt::Debug for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Child").field("command", &self.command).finish_non_exhaustive()
    }
}

/// Writes lines until there are no more or nobody reads them. What waits is written together.
fn write(lines: &Receiver<Vec<u8>>, stdin: impl Write) -> Option<()> {
    let mut out = BufWriter::with_capacity(64 << 10, stdin);
    while let Ok(line) = lines.recv() {
        out.write_all(&line).ok()?;
        while let Ok(line) = lines.try_recv() {
            out.write_all(&line).ok()?;
        }
        out.flush().ok()?;
    }
    Some(())
}

/// Reads lines until the child has closed its output, or nobody wants them.
fn read(stdout: impl Read, answers: &SyncSender<Answer>) -> Option<()> {
    let mut stdout = BufReader::with_capacity(64 << 10, stdout);
    loop {
        let mut line = Vec::new();
        if stdout.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if let Some(answer) = Record::from_line(&line).transpose() {
            answers.send(answer).ok()?;
        }
    }
}

/// Splits a command at its blanks, as GoReplay does. What stands in single or double quotes is one word.
fn words(command: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a quote {open} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_at_blanks() {
        assert_eq!(words("python3  rewrite.py -v").unwrap(), ["python3", "rewrite.py", "-v"]);
        assert_eq!(words("'/a b/run' \"it's\" x'y z' ''").unwrap(), ["/a b/run", "it's", "xy z", ""]);
        assert_eq!(words(r"C:\run.exe x").unwrap(), [r"C:\run.exe", "x"]);
        assert!(words("  ").unwrap().is_empty());
        assert!(words("echo 'a").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn lines_go_in_and_come_out() {
        let mut child = Child::start("cat").unwrap();
        let record = Record {
            kind: mynah_traffic::gor::Kind::Request,
            id: "a".to_owned(),
            time: Some(mynah_traffic::Nanos(1)),
            latency: Some(mynah_traffic::Nanos(2)),
            payload: vec![7; 300_000],
        };
        // more than both pipes hold
        for _ in 0..5 {
            assert!(matches!(child.send(record.to_line()), Sent::Queued));
        }
        for _ in 0..5 {
            assert_eq!(child.answer_within(Duration::from_secs(20)).unwrap().unwrap(), record);
        }
        child.close();
        assert!(child.answer_within(Duration::from_secs(20)).is_err());
        assert!(child.ended().unwrap().success());
    }

    #[test]
    fn what_cannot_be_started_is_said() {
        let failure = Child::start("/no/such/command --at all").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let text = failure.error.to_string();
        assert!(text.starts_with("cannot start the middleware `/no/such/command --at all`: "), "{text}");
    }
}
