import TestSupport
import TributaryCore
import TributaryRuntime
import TributaryState

/// What a task's state is on disk, without a disk: outlives the engines that are opened on it, and counts what they do.
final class KeptState {
    let memory = MemoryEngine()
    /// Commits of the engine.
    var commits = 0
    /// How often it was built anew, and what was kept then.
    var rebuilds: [(tables: [String], metadata: [String])] = []
    /// How often the task said that it gets on.
    var progress = 0
    /// What was said to be damaged.
    var damage: [String] = []
    /// Makes the next commit fail.
    var failsCommit = false
    /// Whether the engine has a folder, in which stores are built anew.
    var hasFolder = true
}

/// An engine on a ``KeptState``: what isn't committed goes with it, the rest stays.
final class KeptEngine: StateEngine {
    private let state: KeptState
    private let folder: String
    private var isOpen = true

    init(_ state: KeptState, folder: String) {
        self.state = state
        self.folder = folder
        state.memory.abort()
    }

    private func memory() throws(StoreError) -> MemoryEngine {
        guard isOpen else { throw StoreError(.closed, "the engine is closed") }
        return state.memory
    }

    var isPersistent: Bool { true }
    var temporaryFolder: String? { state.hasFolder ? folder : nil }
    var dirtyBytes: Int { state.memory.dirtyBytes }

    func table(_ name: String) throws(StoreError) -> any StateTable { try memory().table(name) }
    func tableNames() throws(StoreError) -> [String] { try memory().tableNames() }
    func dropTable(_ name: String) throws(StoreError) { try memory().dropTable(name) }
    func metadata(_ key: String) throws(StoreError) -> [UInt8]? { try memory().metadata(key) }
    func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError) { try memory().setMetadata(key, value) }
    func metadataKeys(prefix: String) throws(StoreError) -> [String] { try memory().metadataKeys(prefix: prefix) }

    func commit() throws(StoreError) {
        if state.failsCommit {
            state.failsCommit = false
            throw StoreError(.diskFull, "as told")
        }
        try memory().commit()
        state.commits += 1
    }

    func abort() { state.memory.abort() }
    func noteDamage(_ what: String) { state.damage.append(what) }
    func noteProgress() { state.progress += 1 }

    func close() {
        state.memory.abort()
        isOpen = false
    }

    // As on disk: the new content is made beside the old one from what is kept of that.
    func rebuild(
        keeping tables: [String], metadata keys: [String], filling fill: (any StateEngine) throws -> Void
    ) throws {
        state.rebuilds.append((tables.sorted(), keys.sorted()))
        abort()
        for name in try tableNames() where !tables.contains(name) { try dropTable(name) }
        for key in try metadataKeys(prefix: "") where !keys.contains(key) { try setMetadata(key, nil) }
        try fill(self)
        try commit()
    }
}

/// Keeps the states of tasks from one start to the next.
final class KeptEngines: EngineFactory, @unchecked Sendable {
    // Used by the test's thread, and while that waits by the one that restores.
    private var states: [String: KeptState] = [:]
    private let folder: TemporaryFolder
    /// Called before a task's engine is opened.
    let beforeOpening = Guarded<(@Sendable (_ task: String) -> Void)?>(nil)

    init() throws { folder = try TemporaryFolder() }

    func state(_ task: String) -> KeptState {
        if let state = states[task] { return state }
        let state = KeptState()
        states[task] = state
        return state
    }

    /// Loses what a task has on disk.
    func forget(_ task: String) { states[task] = nil }

    func persistentEngine(task: String, withoutChangelog stores: [String]) throws -> any StateEngine {
        beforeOpening.withLock { $0 }?(task)
        return KeptEngine(state(task), folder: folder.path)
    }

    func memoryEngine(task: String) throws -> any StateEngine { MemoryEngine() }
}
