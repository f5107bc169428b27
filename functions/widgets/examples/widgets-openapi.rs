//! Prints the OpenAPI document of the widget API as JSON.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", widgets::openapi().to_pretty_json()?);
    Ok(())
}
