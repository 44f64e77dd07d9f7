//! The gRPC service: a hub that items go into, bounded queues of subscribers, and the server that streams them out. It never holds back
//! the sensor: see [`Hub`].

pub mod address;
pub mod convert;
mod filter;
mod hub;
mod listener;
mod queue;
mod server;

pub use address::{Address, AddressError, DEFAULT_SOCKET};
pub use filter::{Filter, FilterError};
pub use hub::{Hub, SUBSCRIBERS_MAX, SubscribeError};
pub use listener::ListenError;
pub use queue::{Limits, Subscription};
pub use server::{Options, ServeError, Server};

/// Largest message in bytes that the server sends and a client should accept: a finding with 33 processes of 64 KiB of arguments each, and
/// their scores.
pub const MESSAGE_MAX: usize = 16 << 20;
