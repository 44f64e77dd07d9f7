//! The protocol's messages, client and server, generated from `proto/sensor/v1` by `cargo xtask codegen`. Nothing here is written by hand:
//! what turns our own types into these and back is `sink::grpc::convert`.
#![allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)] // Not our code.

include!("sensor.v1.rs");
