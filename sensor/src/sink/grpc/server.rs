//! The server: `sensor.v1.Sensor` and `grpc.health.v1.Health` on one address. What is sent to it cannot hurt the sensor: messages, streams,
//! subscribers and the time to shut down are bounded.

use super::{
    Address, Filter, Hub, MESSAGE_MAX, SubscribeError, Subscription,
    convert::encode,
    listener::{ListenError, Listener, SocketFile, listen},
};
use crate::{
    proto::{
        self,
        sensor_server::{Sensor, SensorServer},
    },
    sink::Origin,
};
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, RwLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_stream::{
    Stream,
    wrappers::{TcpListenerStream, UnixListenerStream},
};
use tonic::{Request, Response, Status};
use tonic_health::server::HealthReporter;

/// Requests are small: a filter.
const REQUEST_MAX: usize = 256 << 10;
/// Streams that one connection may have open.
const STREAMS_MAX: u32 = 128;
/// How often a silent connection is asked whether it still lives, and how long it may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);

/// What the server says and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub address: Address,
    /// Goes with each item.
    pub origin: Origin,
    /// Hash of the rules in force; changed at a reload.
    pub rules_version: Arc<RwLock<Arc<str>>>,
}

/// The server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing to listen on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It ended by itself.
    #[error("the gRPC server ended: {0}")]
    Ended(String),
}

/// A running server. [`Server::shutdown`] ends it in order; dropping it ends it at once.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
    hub: Hub,
    health: HealthReporter,
    local: Option<SocketAddr>,
    _file: Option<SocketFile>,
}

impl Server {
    /// Listens and serves from now on. Health says `NOT_SERVING` until [`Server::set_serving`].
    ///
    /// # Errors
    /// [`ServeError::Listen`], with nothing left behind.
    pub async fn start(options: Options, hub: Hub) -> Result<Self, ServeError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_not_serving::<SensorServer<Service>>().await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        let listener = listen(&options.address).await?;
        let service = Service { hub: hub.clone(), origin: Arc::new(options.origin), rules_version: options.rules_version };
        let router = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER))
            .max_concurrent_streams(Some(STREAMS_MAX))
            .concurrency_limit_per_connection(STREAMS_MAX as usize)
            .add_service(health_service)
            .add_service(SensorServer::new(service).max_decoding_message_size(REQUEST_MAX).max_encoding_message_size(MESSAGE_MAX));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            // A dropped sender means the same.
            let _ = stopped.await;
        };
        let (task, local, file) = match listener {
            Listener::Unix(listener, file) => {
                let incoming = UnixListenerStream::new(listener);
                (tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped)), None, Some(file))
            }
            Listener::Tcp(listener) => {
                let local = listener.local_addr().ok();
                let incoming = TcpListenerStream::new(listener);
                (tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped)), local, None)
            }
        };
        Ok(Self { stop: Some(stop), task, hub, health, local, _file: file })
    }

    /// The address of a TCP server, its port included.
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What health checks are told, both for the whole server and for `sensor.v1.Sensor`.
    pub async fn set_serving(&self, serving: bool) {
        let status = if serving { tonic_health::ServingStatus::Serving } else { tonic_health::ServingStatus::NotServing };
        self.health.set_service_status("", status).await;
        self.health.set_service_status(proto::sensor_server::SERVICE_NAME, status).await;
    }

    /// Returns when the server has ended by itself, which it does only when something is broken.
    pub async fn ended(&mut self) -> ServeError {
        ServeError::Ended(match (&mut self.task).await {
            Ok(Ok(())) => "it was stopped".to_owned(),
            Ok(Err(e)) => e.to_string(),
            Err(e) => e.to_string(),
        })
    }

    /// Closes the hub, lets subscribers take what is queued for them, and ends after `grace` at the latest. Returns whether all of them
    /// got everything.
    pub async fn shutdown(mut self, grace: Duration) -> bool {
        self.set_serving(false).await;
        self.hub.close();
        if let Some(stop) = self.stop.take() {
            // The server may have ended already.
            let _ = stop.send(());
        }
        tokio::time::timeout(grace, &mut self.task).await.is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The service itself.
struct Service {
    hub: Hub,
    origin: Arc<Origin>,
    rules_version: Arc<RwLock<Arc<str>>>,
}

#[tonic::async_trait]
impl Sensor for Service {
    type SubscribeStream = Messages;

    async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Result<Response<Messages>, Status> {
        let filter = Filter::try_from(request.into_inner()).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let subscription = self.hub.subscribe(filter).map_err(|e| match e {
            SubscribeError::TooMany => Status::resource_exhausted(e.to_string()),
            SubscribeError::Closed => Status::unavailable(e.to_string()),
        })?;
        Ok(Response::new(Messages { subscription, origin: Arc::clone(&self.origin) }))
    }

    async fn version(&self, _: Request<proto::VersionRequest>) -> Result<Response<proto::VersionResponse>, Status> {
        let rules_version = self.rules_version.read().map(|v| v.to_string()).unwrap_or_default();
        Ok(Response::new(proto::VersionResponse {
            sensor_version: self.origin.sensor_version.to_string(),
            wire_version: sensor_common::WIRE_VERSION,
            rules_version,
            boot_id: self.origin.boot_id.to_string(),
            host_name: self.origin.host_name.to_string(),
        }))
    }
}

/// A subscription as messages: converted when the subscriber is ready for the next one, not when they are published.
struct Messages {
    subscription: Subscription,
    origin: Arc<Origin>,
}

impl Stream for Messages {
    type Item = Result<proto::Item, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.subscription.poll_item(cx).map(|item| item.map(|item| Ok(encode(&item, &self.origin))))
    }
}
