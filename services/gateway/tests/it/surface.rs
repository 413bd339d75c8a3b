//! What the gateway shows to tools, and whom it lets in.

use futures::StreamExt;
use mailfleet_gateway::{Config, Error, Server};
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::world::{Ground, PATIENCE, World, config, everybody};

#[tokio::test]
async fn reflection_lists_the_services() {
    let world = World::start(config()).await;
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(world.channel().await);
    let call = client.server_reflection_info(futures::stream::iter([ask])).await;
    let mut answers = call.expect("it reflects").into_inner();
    let answer = answers.next().await.expect("an answer").expect("no error");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list: {answer:?}");
    };
    let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "mailfleet.v1.BatchService",
            "mailfleet.v1.EventService",
            "mailfleet.v1.FleetService",
            "mailfleet.v1.JobService",
            "mailfleet.v1.ValidationService"
        ]
    );
}

#[tokio::test]
async fn health_is_known_for_the_whole_and_for_the_service() {
    let world = World::start(config()).await;
    let mut health = HealthClient::new(world.channel().await);
    for service in ["", "mailfleet.v1.ValidationService", "mailfleet.v1.JobService"] {
        let asked = HealthCheckRequest { service: service.to_owned() };
        let mut watch = health.watch(asked).await.expect("it is known").into_inner();
        loop {
            let status = timeout(PATIENCE, watch.message()).await.expect("in time");
            if status.expect("no error").expect("a status").status() == ServingStatus::Serving {
                break;
            }
        }
    }
}

#[tokio::test]
async fn without_tenants_only_loopback_is_listened_on() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7443"] {
        let config = Config { listen: listen.parse().expect("an address"), ..config() };
        let ground = Ground::new(config).await;
        let running = ground.loops(everybody());
        let bound = Server::bind(std::sync::Arc::clone(running.gateway())).await;
        let error = bound.expect_err("refused");
        assert!(matches!(error, Error::NotLoopback { .. }), "{listen}: {error}");
        assert!(error.to_string().contains("[[tenant]]"), "{error}");
    }
}
