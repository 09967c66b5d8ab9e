/// Brings the storage of the stores that ask for it, as Kafka Streams' store suppliers do: an engine of somebody else's making.
///
/// Everything above the engine stays as it is: caches, changelogs, lineage, windows and sessions, versions, restoring. An engine is a
/// ``StateEngine``, ordered tables that commit as one; `StateEngineConformance` of `TributaryTesting` checks it.
///
/// May be used from any thread.
public protocol StoreSupplier: Sendable {
    /// What it is called in messages; suppliers of one name are the same.
    var name: String { get }

    /// Whether what is committed to its engines survives the process.
    ///
    /// If it does, each engine keeps, as metadata of its own, how far it has applied the changelogs of its stores, and a start goes on from there. If it
    /// doesn't, a start restores the stores from their changelogs.
    var isPersistent: Bool { get }

    /// Makes the engine that keeps the supplier's stores of one task, or opens what the task has left there.
    ///
    /// Called when a task starts, on the thread that restores it; the engine is then used by one thread at a time, and closed when the task
    /// ends. What an engine that isn't persistent holds at first is deleted.
    ///
    /// - Parameters:
    ///   - application: the application's id.
    ///   - task: the task's id: `0_0`, or `global_1` for the global tables of a thread.
    /// - Throws: what ends the application's start; preferably ``StoreError``.
    func makeEngine(application: String, task: String) throws -> any StateEngine
}

/// A supplier as a part of a store's description, known by its name.
struct NamedSupplier: Sendable, Hashable {
    let supplier: any StoreSupplier

    static func == (left: NamedSupplier, right: NamedSupplier) -> Bool { left.supplier.name == right.supplier.name }
    func hash(into hasher: inout Hasher) { hasher.combine(supplier.name) }
}
