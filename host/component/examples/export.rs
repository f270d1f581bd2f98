//! Writes the component to a file: `cargo run -p cedargate-component --example export -- FILE`.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).ok_or("name the file to write")?;
    Ok(fs::write(file, cedargate_component::COMPONENT)?)
}
