//! Tests of the whole stage.

mod event;
mod loading;
mod own_rules;
mod scoring;
mod sigma;
