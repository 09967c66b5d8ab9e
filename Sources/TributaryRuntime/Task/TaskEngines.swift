internal import TributaryDSL
internal import TributaryState

/// The engines of one task: the application's own, and those that suppliers bring.
struct TaskEngines {
    /// Keeps the persistent stores that no supplier keeps.
    private(set) var persistent: (any StateEngine)?
    /// Keeps those in memory.
    private(set) var memory: (any StateEngine)?
    private var supplied: [String: any StateEngine] = [:]

    /// Opens what a task's stores need.
    init(
        _ descriptions: [StoreDescription], task: String, application: String, factory: any EngineFactory
    ) throws {
        do {
            if descriptions.contains(where: \.isInTaskFile) {
                let alone = descriptions.filter { $0.isInTaskFile && !$0.canBeRestored }.map(\.name)
                persistent = try factory.persistentEngine(task: task, withoutChangelog: alone)
            }
            if descriptions.contains(where: { !$0.isPersistent && $0.supplier == nil }) {
                memory = try factory.memoryEngine(task: task)
            }
            for supplier in descriptions.compactMap(\.supplier) where supplied[supplier.name] == nil {
                supplied[supplier.name] = try TaskEngines.open(supplier, application, task)
            }
        } catch {
            close()
            throw error
        }
    }

    private static func open(
        _ supplier: any StoreSupplier, _ application: String, _ task: String
    ) throws -> any StateEngine {
        let engine = try supplier.makeEngine(application: application, task: task)
        do {
            guard engine.isPersistent == supplier.isPersistent else {
                throw StoreError(
                    .invalidRequest,
                    "the supplier '\(supplier.name)' says that its engines are \(supplier.isPersistent ? "" : "not ")persistent, "
                        + "and the engine of task \(task) says otherwise")
            }
            // What isn't kept with positions begins empty, as in memory.
            if !engine.isPersistent {
                for table in try engine.tableNames() { try engine.dropTable(table) }
                for key in try engine.metadataKeys(prefix: "") { try engine.setMetadata(key, nil) }
            }
        } catch {
            engine.close()
            throw error
        }
        return engine
    }

    /// The engine of a store.
    func engine(_ description: StoreDescription) -> (any StateEngine)? {
        if let supplier = description.supplier { return supplied[supplier.name] }
        return description.isPersistent ? persistent : memory
    }

    /// All of them.
    var all: [any StateEngine] { [persistent, memory].compactMap { $0 } + supplied.values }

    /// Closes all of them.
    mutating func close() {
        for engine in all { engine.close() }
        persistent = nil
        memory = nil
        supplied = [:]
    }
}

extension StoreDescription {
    /// Whether its rows lie in the file of the task's own engine.
    var isInTaskFile: Bool { isPersistent && supplier == nil }
}
