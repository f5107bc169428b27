//! Prints the OpenAPI document as JSON.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", docs::openapi().to_pretty_json()?);
    Ok(())
}
