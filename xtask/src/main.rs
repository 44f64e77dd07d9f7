//! Tasks of this repository.
mod codegen;

fn main() -> anyhow::Result<()> {
    codegen::run(false)
}
