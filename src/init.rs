//! `mynah init`: a commented scenario to start from by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mynah_replay::{LoadModel, Options, Prepared, Target};
use mynah_traffic::scenario::Scenario;

use crate::driving;
use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::terminal;

/// Write a scenario to start from by hand: it plays as it is, and shows what else it could say in comments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah init http://127.0.0.1:8080/ -o shop.toml
  mynah init https://staging.example/login --probe -o login.toml
  mynah replay shop.toml --target http://127.0.0.1:8080 --once --trace

See docs/scenarios.md for every key.")]
pub(crate) struct Args {
    /// Where the first request goes. Nothing is fetched, unless --probe is given.
    #[arg(value_name = "URL")]
    url: String,

    /// The file to write; one that is there is not written over.
    #[arg(short, long, value_name = "FILE", default_value = "scenario.toml")]
    output: PathBuf,

    /// Send the first request once, and write down the status that comes.
    #[arg(long)]
    probe: bool,

    /// Accept any certificate (with --probe).
    #[arg(long, requires = "probe")]
    insecure: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (origin, path) = parts(&args.url);
    let target: Target = origin.parse().map_err(driving::failure)?;
    if args.output.exists() {
        return Err(fail(
            Exit::Usage,
            format!(
                "{}: is there already, and is not written over; name another file with -o",
                args.output.display()
            ),
        ));
    }
    let name = args.output.file_stem().map_or("scenario".into(), |stem| stem.to_string_lossy().into_owned());
    let mut text = scenario(&name, &args.url, &path, None);
    if args.probe {
        let status = probe(&text, &target, args.insecure)?;
        text = scenario(&name, &args.url, &path, Some(status));
    }
    // What is written is read here first: it must play as it is, and a URL with ${…} in it does not.
    Scenario::parse(&text, &args.output).exits(Exit::Usage)?;
    write(&args.output, &text)?;
    terminal::say(format!("wrote       {}", args.output.display()));
    terminal::say(format!(
        "try it      mynah replay {} --target {} --once --trace",
        args.output.display(),
        target.origin()
    ));
    Ok(Exit::Ok)
}

/// Made anew, so that nothing that came to be there in the meantime is lost.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    made.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|error| mynah_traffic::Error::io(path, error))
        .exits(Exit::Usage)
}

/// The URL's scheme and authority; and its path and query, percent-encoded where they must be.
fn parts(url: &str) -> (&str, String) {
    let begin = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |slash| begin + slash);
    let (origin, rest) = url.split_at(end);
    let rest = rest.split('#').next().unwrap_or_default();
    let mut path = String::new();
    if !rest.starts_with('/') {
        path.push('/');
    }
    for byte in rest.bytes() {
        if byte.is_ascii_graphic() && !b"{}|^`<>\"\\".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    (origin, path)
}

/// The status that the first request gets.
fn probe(text: &str, target: &Target, insecure: bool) -> Result<u16, Failure> {
    let scenario = Scenario::parse(text, "scenario")?;
    let prepared = Prepared::from_scenario(scenario, Path::new("")).map_err(driving::failure)?;
    let options =
        Options { target: Some(target.clone()), load: LoadModel::Once, insecure, ..Options::default() };
    let (mut got, mut why) = (None, None);
    mynah_replay::trace(&prepared, &options, &mut |step| (got, why) = (step.got, step.why))
        .map_err(driving::failure)?;
    got.ok_or_else(|| fail(Exit::Unreachable, format!("no answer: {}", why.unwrap_or_default())))
}

/// The file.
fn scenario(name: &str, url: &str, path: &str, status: Option<u16>) -> String {
    // What JSON escapes TOML does, too, but for one character.
    let quoted = |text: &str| serde_json::Value::from(text.replace('\x7f', " ")).to_string();
    let expect = match status {
        Some(status) => {
            format!("expect = {status}                          # as it came when this was written")
        }
        None => {
            "# expect = 200                      # the status whose class is right; without it any below 400"
                .to_owned()
        }
    };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "# A scenario of mynah: who the users are, what they send, what must hold. Made for {url}
#   mynah replay FILE --target URL --once --trace       each step once, with what was sent, wanted and got
#   mynah replay FILE --target URL                      the load below
# Lines behind a # show what else there is; docs/scenarios.md says all of it.
version = 1
name = {name}

[load]
users = 2                             # users who come back; or sessions that arrive: rate = \"10/s\"
for = \"10s\"
# stages = [\"30s:10\", \"1m:50\", \"30s:0\"]    # users over time, in place of users and for; \"30s:10/s\" for sessions

[[threshold]]
expr = \"failure_rate < 1%\"            # or mynah replay exits 10; \"p95 < 300ms\", \"GET /: p99 < 1s over any 10s\"

[[profile]]
name = \"visitor\"
weight = 1                            # its share, relative to other profiles
# users = 3                           # so many users, whatever the weights
# tags = [\"smoke\"]                    # mynah replay --tag smoke
# order = \"weighted\"                  # steps are drawn by their weight = N; steps_per_session = 10 ends a session
# wait = \"between 1s 5s\"              # between iterations; or \"constant 2s\", \"pacing 10s\", \"throughput 0.5/s\"
# use = \"other.toml#buyer\"            # steps of another file

# [[profile.on_start]]                # what a user does first; [[profile.on_stop]]: last
# request = \"POST /login\"
# form = {{ email = \"${{data.people.email}}\", password = \"${{data.people.password}}\", csrf = \"${{csrf}}\" }}
# json = '{{\"id\": ${{id}}}}'             # or a JSON body, or body = \"text\"

[[profile.step]]
request = {request}
{expect}
# name = \"front page\"                 # what it is counted by, in place of its path
# think = \"1s..3s\"                    # pause before it
# headers = {{ Accept = \"text/html\" }}
# check = [\"status == 200\", \"body contains 'Welcome'\", \"json:$.total > 0\", \"time < 500ms\"]
# extract = {{ csrf = \"css:input[name=csrf]@value\", id = \"json:$.items[0].id\", order = 'regex:order-(\\d+)' }}

# [data.people]                       # ${{data.people.email}}: a row of this CSV for each session
# file = \"people.csv\"
# pick = \"shuffle\"                    # or \"cycle\", \"once\"

# [variables]                         # ${{var.base}}, anywhere; mynah replay --var base=/v3
# base = \"/v2\"

# [vary.key]                          # ${{vary.key}}: made anew for each session
# make = \"{{uuid}}\"

# [rewrite]                           # what becomes of every request
# headers = {{ X-Test = \"1\" }}
# path = [\"^/v1/=/v2/\"]

# [[use]]                             # the profiles of another file, too
# file = \"other.toml\"
# weight = 20
",
        url = url.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>(),
        name = quoted(name),
        request = quoted(&format!("GET {path}")),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (url, path) in [
            ("http://h", "/"),
            ("http://h?x", "/?x"),
            ("h:80/a b?c=\"d\"&e='f'#g", "/a%20b?c=%22d%22&e='f'"),
            ("http://h/{x}\\é", "/%7Bx%7D%5C%C3%A9"),
        ] {
            assert_eq!(parts(url).1, path);
            let text = scenario("a \"name\"", "http://h/", path, None);
            let read = Scenario::parse(&text, "s.toml").unwrap();
            assert_eq!(
                (read.profiles[0].steps[0].request.as_str(), read.name.as_str()),
                (format!("GET {path}").as_str(), "a \"name\"")
            );
            assert_eq!(
                Scenario::parse(&scenario("s", "u", path, Some(301)), "s.toml").unwrap().profiles[0].steps[0]
                    .expect,
                Some(301)
            );
        }
    }
}
