//! Redis as a protocol of mynah's: all that another one would have to bring along, too.
//!
//! A step's text is a command as in `redis-cli`, `SET user:${n} "${name}"`; its arguments are told apart before values are put in.
//! `to` is `redis://[USER[:PASSWORD]@]HOST[:6379][/DATABASE]`. Answers are what [`resp`] makes of them.

#![forbid(unsafe_code)]

pub mod resp;

use std::time::Instant;

use mynah_replay::protocol::{Connection, Failure, LocalBoxFuture, Protocol, Reply, Request, Url, dial};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use resp::Value;

/// Bytes of an answer, past which it is given up.
const LARGEST: usize = 64 << 20;
/// Commands that no single answer ends.
const ENDLESS: [&str; 6] = ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC"];

/// The protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Redis;

/// One connection.
struct Client {
    stream: TcpStream,
    /// What is sent, and what has come of an answer; kept from one request to the next.
    out: Vec<u8>,
    inbox: Vec<u8>,
}

impl Protocol for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn parse(&self, send: &str) -> Result<Vec<String>, String> {
        let words = resp::words(send)?;
        let command = words.first().ok_or("there is no command")?.to_ascii_uppercase();
        if ENDLESS.contains(&command.as_str()) {
            return Err(format!("{command} is answered without end, and a step has one answer"));
        }
        Ok(words)
    }

    fn connect<'a>(&'a self, to: &'a Url) -> LocalBoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async move {
            let stream = dial(to, 6379).await?;
            let mut client = Client { stream, out: Vec::new(), inbox: Vec::new() };
            if let Some(password) = to.password() {
                let user = Some(to.username()).filter(|user| !user.is_empty());
                let words: Vec<&str> = std::iter::once("AUTH").chain(user).chain([password]).collect();
                client.ask(&words).await?;
            }
            let database = to.path().trim_start_matches('/');
            if !database.is_empty() {
                client.ask(&["SELECT", database]).await?;
            }
            Ok(Box::new(client) as Box<dyn Connection>)
        })
    }
}

impl Connection for Client {
    fn exchange<'a>(&'a mut self, request: Request<'a>) -> LocalBoxFuture<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let (first_byte, used) = self.send(request.parts).await?;
            let mut reply = Reply {
                first_byte: Some(first_byte),
                bytes_in: used as u64,
                bytes_out: self.out.len() as u64,
                ..Reply::default()
            };
            match self.answer()? {
                Value::Error(text) => reply.error = Some(String::from_utf8_lossy(text).into_owned()),
                value if request.keep_body => reply.body = value.body(),
                _ => {}
            }
            Ok(reply)
        })
    }

    fn is_open(&mut self) -> bool {
        // Between two requests nothing is to be read: what is there is an end, or an answer to no question.
        let nothing = self.stream.try_read(&mut [0]);
        nothing.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

impl Client {
    /// Sends a command and reads until its answer is whole: when it began to come, and its length.
    async fn send(&mut self, words: &[&str]) -> Result<(Instant, usize), Failure> {
        self.out.clear();
        self.inbox.clear();
        resp::command(words, &mut self.out);
        self.stream.write_all(&self.out).await?;
        let mut first = None;
        loop {
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(Failure::closed(self.inbox.len()));
            }
            let first = *first.get_or_insert_with(Instant::now);
            match resp::parse(&self.inbox).map_err(Failure::Malformed)? {
                Some((_, used)) if used == self.inbox.len() => return Ok((first, used)),
                Some(_) => return Err(Failure::Malformed("more came than the answer".to_owned())),
                None if self.inbox.len() > LARGEST => {
                    return Err(Failure::TooLarge(format!("an answer of more than {} MiB", LARGEST >> 20)));
                }
                None => {}
            }
        }
    }

    /// The answer that was read last.
    fn answer(&self) -> Result<Value<'_>, Failure> {
        let read = resp::parse(&self.inbox).map_err(Failure::Malformed)?;
        read.map(|(value, _)| value).ok_or_else(|| Failure::closed(self.inbox.len()))
    }

    /// Asks for something without which there is no connection.
    async fn ask(&mut self, words: &[&str]) -> Result<(), Failure> {
        self.send(words).await?;
        match self.answer()? {
            Value::Error(text) => Err(Failure::Refused(String::from_utf8_lossy(text).into_owned())),
            _ => Ok(()),
        }
    }
}
