//! `mynah capture --listen`: what can be said of recording as a reverse proxy.

use std::path::PathBuf;

use mynah_capture::{Feed, Proxy, ProxyOptions};

use crate::exit::{Exit, Exits, Failure};

/// Where clients come to, and where their requests go.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Reverse proxy")]
pub(crate) struct ProxyArgs {
    /// Listen here as a reverse proxy for HTTP/1.1 and HTTP/2: 127.0.0.1:8080, :443.
    #[arg(long, value_name = "ADDR", group = "source", requires = "upstream", conflicts_with_all = ["inputs", "recover"])]
    listen: Option<String>,

    /// The server that requests go to: http://127.0.0.1:3000.
    #[arg(long, value_name = "URL", requires = "listen", conflicts_with = "inputs")]
    upstream: Option<String>,

    /// Speak TLS to clients with this certificate chain (PEM).
    #[arg(long, value_name = "F.pem", requires_all = ["listen", "tls_key"], conflicts_with = "inputs")]
    tls_cert: Option<PathBuf>,

    /// Its key (PEM).
    #[arg(long, value_name = "F.pem", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Authorities that the server's certificate may come from (PEM), instead of the system's.
    #[arg(long, value_name = "F.pem", requires = "listen", conflicts_with = "inputs")]
    upstream_ca: Option<PathBuf>,

    /// Send the client's Host on; otherwise the server gets its own name.
    #[arg(long, requires = "listen", conflicts_with = "inputs")]
    preserve_host: bool,
}

impl ProxyArgs {
    /// Whether an address is named.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.listen.is_some()
    }

    /// Where clients come to and where their requests go, if it is.
    pub(crate) fn ends(&self) -> Option<(&str, &str)> {
        self.listen.as_deref().zip(self.upstream.as_deref())
    }
}

/// Listens, if an address is named. `insecure`: any certificate of the server will do.
pub(crate) fn open(
    args: &ProxyArgs,
    insecure: bool,
    limits: mynah_capture::Options,
) -> Result<Option<Box<dyn Feed>>, Failure> {
    let (Some(listen), Some(upstream)) = (&args.listen, &args.upstream) else { return Ok(None) };
    let options = ProxyOptions {
        tls: args.tls_cert.clone().zip(args.tls_key.clone()),
        upstream_ca: args.upstream_ca.clone(),
        insecure,
        preserve_host: args.preserve_host,
        max_body: limits.max_body,
        memory: limits.memory,
        ..ProxyOptions::new(listen.clone(), upstream.clone())
    };
    Ok(Some(Box::new(Proxy::listen(&options).exits(Exit::Usage)?)))
}
