//! A gateway that answers every validation at once, in a process of its own: what the generator
//! is measured against before a run.
//!
//! Prints its address, then serves until standard input ends.

use std::net::SocketAddr;

use anyhow::Context;
use futures::stream;
use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_server::{ValidationService, ValidationServiceServer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

struct Null;

type Answer = Result<v1::ValidateResponse, Status>;

#[tonic::async_trait]
impl ValidationService for Null {
    type ValidateStream = stream::Iter<std::array::IntoIter<Answer, 2>>;

    async fn validate(
        &self,
        request: Request<v1::ValidateRequest>,
    ) -> Result<Response<Self::ValidateStream>, Status> {
        let request_id = request.into_inner().request_id;
        let accepted =
            v1::Accepted { job_id: request_id.clone(), request_id, ..Default::default() };
        let verdict = v1::report::Verdict::Healthy.into();
        let report = v1::Report { verdict, ..Default::default() };
        let answer = |event| Ok(v1::ValidateResponse { event: Some(event) });
        let both = [answer(Event::Accepted(accepted)), answer(Event::Report(report))];
        Ok(Response::new(stream::iter(both)))
    }

    async fn submit_validation(
        &self,
        _: Request<v1::SubmitValidationRequest>,
    ) -> Result<Response<v1::SubmitValidationResponse>, Status> {
        Err(Status::unimplemented("only streams are answered"))
    }
}

/// Serves until standard input ends.
pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a port")?;
    let at = listener.local_addr().context("the port")?;
    announce(at);
    let ended = async {
        let mut ignored = Vec::new();
        drop(tokio::io::stdin().read_to_end(&mut ignored).await);
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().add_service(ValidationServiceServer::new(Null));
    tokio::select! {
        served = server.serve_with_incoming(incoming) => served.context("serving"),
        () = ended => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "standard output is how the parent learns the address")]
fn announce(at: SocketAddr) {
    println!("http://{at}");
}
