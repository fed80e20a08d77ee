//! How much of everything a component may be made of. The bounds are generous: an interpreter of
//! Python, the largest that is known, needs at most a third of each. What is far past them is made to
//! cost its reader, not to answer contacts.

/// Something that a component has a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    // Of the whole component:
    Nesting,
    Sections,
    Modules,
    Components,
    Instances,
    Aliases,
    Types,
    Canonicals,
    ComponentImports,
    ComponentExports,
    Imports,
    Exports,
    Functions,
    Globals,
    Tables,
    Memories,
    Tags,
    ElementSegments,
    Elements,
    DataSegments,
    // Of each:
    NameBytes,
    Parameters,
    Results,
    // Of each function:
    FunctionBytes,
    Locals,
    BlockDepth,
    LoopDepth,
    BranchTargets,
    LocalsTimesLoops,
}

impl Part {
    pub const ALL: [Part; 29] = [
        Part::Nesting,
        Part::Sections,
        Part::Modules,
        Part::Components,
        Part::Instances,
        Part::Aliases,
        Part::Types,
        Part::Canonicals,
        Part::ComponentImports,
        Part::ComponentExports,
        Part::Imports,
        Part::Exports,
        Part::Functions,
        Part::Globals,
        Part::Tables,
        Part::Memories,
        Part::Tags,
        Part::ElementSegments,
        Part::Elements,
        Part::DataSegments,
        Part::NameBytes,
        Part::Parameters,
        Part::Results,
        Part::FunctionBytes,
        Part::Locals,
        Part::BlockDepth,
        Part::LoopDepth,
        Part::BranchTargets,
        Part::LocalsTimesLoops,
    ];

    /// How many there may be, and what they are called.
    pub const fn bound(self) -> (u64, &'static str) {
        match self {
            Part::Nesting => (8, "components and modules inside each other"),
            Part::Sections => (50_000, "sections"),
            Part::Modules => (200, "modules"),
            Part::Components => (200, "components inside it"),
            Part::Instances => (1_000, "instances"),
            Part::Aliases => (200_000, "aliases"),
            Part::Types => (50_000, "types"),
            Part::Canonicals => (10_000, "functions between it and the gateway"),
            Part::ComponentImports => (10_000, "imports"),
            Part::ComponentExports => (10_000, "exports"),
            Part::Imports => (100_000, "imports of its modules"),
            Part::Exports => (200_000, "exports of its modules"),
            Part::Functions => (200_000, "functions"),
            Part::Globals => (100_000, "globals"),
            Part::Tables => (100, "tables"),
            Part::Memories => (100, "memories"),
            Part::Tags => (1_000, "tags of exceptions"),
            Part::ElementSegments => (20_000, "segments of table elements"),
            // Each takes the compiler 7 KB.
            Part::Elements => (65_536, "table elements in its segments"),
            Part::DataSegments => (50_000, "segments of data"),
            Part::NameBytes => (10_000, "bytes in a name"),
            Part::Parameters => (500, "parameters of a function"),
            Part::Results => (100, "results of a function"),
            // Compiling takes more than twice as long for a function twice as long. The interpreters of
            // other languages have functions of some hundred kilobytes.
            Part::FunctionBytes => (512 << 10, "bytes in a function"),
            Part::Locals => (20_000, "locals in a function"),
            Part::BlockDepth => (10_000, "blocks inside each other in a function"),
            // Their cost grows with the square of the depth. People write ten, tools some dozens.
            Part::LoopDepth => (500, "loops inside each other in a function"),
            Part::BranchTargets => (100_000, "branch targets in a function"),
            // What each local is worth is looked for in each loop.
            Part::LocalsTimesLoops => (8_000_000, "locals times loops in a function"),
        }
    }

    /// An error where there are `used`, at least.
    pub fn check(self, used: u64) -> Result<(), String> {
        let (limit, what) = self.bound();
        if used <= limit {
            return Ok(());
        }
        Err(format!("too many {what}: limit {limit}, used {used} or more; split it up or leave some out"))
    }
}

/// What was counted of a whole component so far.
#[derive(Debug)]
pub struct Census([u64; Part::ALL.len()]);

impl Census {
    pub fn new() -> Self {
        Census([0; Part::ALL.len()])
    }

    pub fn add(&mut self, part: Part, more: u64) -> Result<(), String> {
        let count = &mut self.0[part as usize];
        *count = count.saturating_add(more);
        part.check(*count)
    }
}
