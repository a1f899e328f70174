//! `mynah export`: a recording → other tools' files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use mynah_traffic::Error;
use mynah_traffic::gor::{Exported, Exporter};
use mynah_traffic::units::format_bytes;

use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::input::{FilterArgs, Inputs, Reading, begins, show_warnings};
use crate::output;
use crate::progress::Progress;
use crate::terminal::{self, plural};

/// Take recorded traffic elsewhere: as GoReplay's .gor, to replay with it or with anything that reads its files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah export shop.mynah --format gor -o shop.gor
  mynah export shop.mynah --format gor -o errors.gor.gz --include 'status >= 500'")]
pub(crate) struct Args {
    /// The recording.
    #[arg(value_name = "FILE")]
    input: PathBuf,

    /// What to write.
    #[arg(long, value_enum)]
    format: Format,

    /// The file to write; compressed when its name ends in .gz.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,

    #[command(flatten)]
    filter: FilterArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// GoReplay's file: requests and responses as they stood on the wire.
    Gor,
    /// Not supported yet.
    #[value(hide = true)]
    Locust,
    /// Not supported yet.
    #[value(hide = true)]
    K6,
    /// Not supported yet.
    #[value(hide = true)]
    Har,
    /// Not supported yet.
    #[value(hide = true)]
    Curl,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.format != Format::Gor {
        let name = format!("{:?}", args.format).to_ascii_lowercase();
        return Err(fail(Exit::Usage, format!("not supported yet: --format {name}; there is gor")));
    }
    if is_scenario(&args.input) {
        let path = args.input.display();
        return Err(fail(
            Exit::Usage,
            format!(
                "{path}: not supported yet: exporting a scenario; give the recording that it was made from (.mynah)"
            ),
        ));
    }
    let reading = Reading { filter: args.filter.clone(), recover: args.recover, ..Reading::default() };
    let inputs = Inputs::recordings(std::slice::from_ref(&args.input), &reading)?;
    output::check(&args.output, &inputs, |first| {
        first.starts_with(b"1 ") || first.starts_with(b"2 ") || first.starts_with(&[0x1f, 0x8b])
    })?;
    let exported = gor(&inputs, &args.output)?;
    tell(exported, &args.output, inputs.masked());
    Ok(Exit::Ok)
}

/// Whether the file is a scenario, by what it says.
fn is_scenario(path: &Path) -> bool {
    // what cannot be opened is said when it is opened as a recording
    begins(path).is_ok_and(|first| {
        String::from_utf8_lossy(&first).lines().any(|line| line.trim_start().starts_with("[[profile"))
    })
}

/// The output: plain, or compressed.
enum Output {
    Plain(BufWriter<File>),
    Gzip(BufWriter<GzEncoder<File>>),
}

impl Output {
    fn create(path: &Path) -> std::io::Result<Output> {
        let file = File::create(path)?;
        let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        Ok(if gzip {
            Output::Gzip(BufWriter::new(GzEncoder::new(file, Compression::default())))
        } else {
            Output::Plain(BufWriter::new(file))
        })
    }

    fn close(self) -> std::io::Result<()> {
        match self {
            Output::Plain(mut out) => out.flush(),
            Output::Gzip(out) => {
                out.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish().map(drop)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Output::Plain(out) => out.write(bytes),
            Output::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Output::Plain(out) => out.flush(),
            Output::Gzip(out) => out.flush(),
        }
    }
}

fn gor(inputs: &Inputs, path: &Path) -> Result<Exported, Failure> {
    let io = |error| Error::io(path, error);
    let mut exporter = Exporter::new(Output::create(path).map_err(io).exits(Exit::Usage)?);
    let mut progress = Progress::new("exporting");
    for input in inputs.iter() {
        let mut stream = input.open()?;
        for exchange in stream.by_ref() {
            exporter.write(&exchange?).map_err(io).exits(Exit::Usage)?;
            progress.tick();
        }
        show_warnings(input.path(), &stream.warnings());
    }
    let exported = exporter.exported();
    exporter.into_inner().close().map_err(io).exits(Exit::Usage)?;
    Ok(exported)
}

fn tell(exported: Exported, path: &Path, masked: bool) {
    let Exported { exchanges, requests, responses, unfit, partial } = exported;
    let size = std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_default();
    terminal::say(format!(
        "exported  {}: {}, {}",
        plural(exchanges, "exchange"),
        plural(requests, "request"),
        plural(responses, "response")
    ));
    if partial > 0 {
        terminal::warn(format!(
            "{} in it not whole: cut short, or with a body that is not in the recording",
            plural(partial, "exchange")
        ));
    }
    if unfit > 0 {
        terminal::warn(format!(
            "{} left out: a .gor file cannot hold a message in which its separator stands as a line",
            plural(unfit, "exchange")
        ));
    }
    if !masked {
        terminal::warn("secrets and personal data are in it: the recording was made with --unmasked");
    }
    terminal::say(format!("wrote     {} ({})", path.display(), format_bytes(size)));
}
