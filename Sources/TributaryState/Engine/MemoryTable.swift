import TributaryCore

/// A table of a ``MemoryEngine``: a tree, the tree of the last commit, and what has become of the table since.
final class MemoryTable: StateTable {
    private enum Presence {
        /// Not created, or its creation was taken back: the next write creates it.
        case absent
        case present
        case dropped
        case closed
    }

    private struct State {
        var presence = Presence.absent
        var tree = ByteTree()
        var committedPresence = Presence.absent
        var committedTree = ByteTree()
        var dirtyBytes = 0
        /// Changes with each commit and abort, which end the cursors.
        var epoch = 0
    }

    let name: String
    private let state = Owned(State())

    init(name: String) { self.name = name }

    var isPresent: Bool { state.value.presence == .present }
    var dirtyBytes: Int { state.value.dirtyBytes }
    var epoch: Int { state.value.epoch }

    func create() {
        if state.value.presence != .closed { state.value.presence = .present }
    }

    func drop() {
        guard state.value.presence == .present else { return }
        state.value.presence = .dropped
        state.value.tree = ByteTree()
    }

    func commit() {
        state.value.committedTree = state.value.tree
        state.value.committedPresence = state.value.presence
        state.value.dirtyBytes = 0
        state.value.epoch += 1
    }

    func abort() {
        guard state.value.presence != .closed else { return }
        state.value.tree = state.value.committedTree
        state.value.presence = state.value.committedPresence
        state.value.dirtyBytes = 0
        state.value.epoch += 1
    }

    func close() {
        state.value = State()
        state.value.presence = .closed
        state.value.epoch = -1
    }

    func get(_ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool {
        value.removeAll()
        try checkUsable()
        return state.value.tree.get(key, appendTo: &value)
    }

    func put(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        try checkUsable()
        try checkLength(key, value)
        state.value.presence = .present
        state.value.dirtyBytes += key.byteCount + value.byteCount
        state.value.tree.put(key, value)
    }

    func delete(_ key: RawSpan) throws(StoreError) -> Bool {
        try checkUsable()
        state.value.dirtyBytes += key.byteCount
        return state.value.tree.delete(key)
    }

    func append(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        try checkUsable()
        if let last = state.value.tree.isBeyondLast(key), !last {
            throw StoreError(
                .invalidRequest, "a key to append is not above the last one", store: name, key: key.hexadecimal)
        }
        try put(key, value)
    }

    func count() throws(StoreError) -> Int {
        try checkUsable()
        return state.value.tree.count
    }

    func byteCount() throws(StoreError) -> Int {
        try checkUsable()
        return state.value.tree.byteCount
    }

    func cursor(from lower: RawSpan?, through upper: RawSpan?, reverse: Bool) throws(StoreError) -> any StateCursor {
        try checkUsable()
        return MemoryCursor(
            self, epoch: state.value.epoch,
            cursor: ByteTreeCursor(state.value.tree, from: lower, through: upper, reverse: reverse))
    }

    func neighbour(
        of key: RawSpan, before: Bool, orEqual: Bool, into found: inout ByteWriter
    ) throws(StoreError) -> Bool {
        found.removeAll()
        try checkUsable()
        return state.value.tree.neighbour(of: key, before: before, orEqual: orEqual, appendTo: &found)
    }

    func copyRows(
        from lower: RawSpan, through upper: RawSpan?, limit: Int, into rows: CopiedRows
    ) throws(StoreError) {
        try checkUsable()
        state.value.tree.copyRows(from: lower, through: upper, limit: limit, into: rows)
    }

    private func checkUsable() throws(StoreError) {
        switch state.value.presence {
        case .absent, .present: return
        case .dropped: throw StoreError(.unknownStore, "the table was dropped", store: name)
        case .closed: throw StoreError(.closed, "the engine is closed", store: name)
        }
    }

    private func checkLength(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        guard key.byteCount <= ByteTree.maximumLength && value.byteCount <= ByteTree.maximumLength else {
            throw StoreError(.invalidRequest, "a key or value of more than 1 GiB", store: name)
        }
    }
}

/// A walk over the snapshot of a ``MemoryTable``.
final class MemoryCursor: StateCursor {
    private let table: MemoryTable
    private let epoch: Int
    private var cursor: ByteTreeCursor
    private var isOpen = true

    init(_ table: MemoryTable, epoch: Int, cursor: ByteTreeCursor) {
        self.table = table
        self.epoch = epoch
        self.cursor = cursor
    }

    func next(key: inout ByteWriter, value: inout ByteWriter) throws(StoreError) -> Bool {
        key.removeAll()
        value.removeAll()
        guard isOpen && table.epoch == epoch else {
            close()
            throw StoreError(.closed, "the cursor was closed, by hand or by a commit or abort", store: table.name)
        }
        return cursor.next(appendKeyTo: &key, appendValueTo: &value)
    }

    func close() {
        isOpen = false
        cursor.finish()
    }
}
