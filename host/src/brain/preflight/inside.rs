//! Goes through everything inside a component that the compiler would: names, types, segments, and every
//! function's instructions. Runs where compiling does, because it takes a moment for a large one;
//! linear in the bytes, and keeps nothing.

use wasmparser::{CompositeInnerType, ElementItems, FunctionBody, Operator, Parser, Payload};

use super::bounds::{Census, Part};

/// Where a mistake of the bytes was found.
type Broken = wasmparser::BinaryReaderError;

/// Holds a component's inside against the bounds; the error says what there is too much of.
pub fn look_inside(bytes: &[u8]) -> Result<(), String> {
    let mut census = Census::new();
    for payload in Parser::new(0).parse_all(bytes) {
        look(payload.map_err(damaged)?, &mut census)?;
    }
    Ok(())
}

fn damaged(error: Broken) -> String {
    format!("damaged at byte {}: {}", error.offset(), error.message())
}

fn look(payload: Payload<'_>, census: &mut Census) -> Result<(), String> {
    match payload {
        Payload::TypeSection(types) => {
            for group in types {
                for kind in group.map_err(damaged)?.types() {
                    if let CompositeInnerType::Func(function) = &kind.composite_type.inner {
                        Part::Parameters.check(function.params().len() as u64)?;
                        Part::Results.check(function.results().len() as u64)?;
                    }
                }
            }
        }
        Payload::ImportSection(imports) => {
            for import in imports.into_imports() {
                let import = import.map_err(damaged)?;
                named(import.module)?;
                named(import.name)?;
            }
        }
        Payload::ExportSection(exports) => {
            for export in exports {
                named(export.map_err(damaged)?.name)?;
            }
        }
        Payload::ElementSection(segments) => {
            for segment in segments {
                let elements = match segment.map_err(damaged)?.items {
                    ElementItems::Functions(functions) => functions.count(),
                    ElementItems::Expressions(_, expressions) => expressions.count(),
                };
                census.add(Part::Elements, elements.into())?;
            }
        }
        Payload::CodeSectionEntry(body) => function(&body)?,
        Payload::ComponentImportSection(imports) => {
            for import in imports {
                named(import.map_err(damaged)?.name.name)?;
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports {
                named(export.map_err(damaged)?.name.name)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn named(name: &str) -> Result<(), String> {
    Part::NameBytes.check(name.len() as u64)
}

/// What the compiler's time for one function grows with.
fn function(body: &FunctionBody<'_>) -> Result<(), String> {
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(damaged)? {
        let (count, _) = group.map_err(damaged)?;
        locals += u64::from(count);
        Part::Locals.check(locals)?;
    }
    // Of each open block, whether it is a loop.
    let mut open: Vec<bool> = Vec::new();
    let (mut depth, mut loops, mut targets) = (0_u64, 0_u64, 0_u64);
    let mut operators = body.get_operators_reader().map_err(damaged)?;
    while !operators.eof() {
        match operators.read().map_err(damaged)? {
            Operator::Loop { .. } => {
                open.push(true);
                loops += 1;
                depth += 1;
                Part::LoopDepth.check(depth)?;
                Part::LocalsTimesLoops.check(loops.saturating_mul(locals))?;
            }
            Operator::Block { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. } => {
                open.push(false);
            }
            Operator::End | Operator::Delegate { .. } => {
                depth -= u64::from(open.pop() == Some(true));
            }
            Operator::BrTable { targets: table } => targets += u64::from(table.len()),
            Operator::Br { .. } | Operator::BrIf { .. } => targets += 1,
            _ => {}
        }
        Part::BlockDepth.check(open.len() as u64)?;
        Part::BranchTargets.check(targets)?;
    }
    Ok(())
}
