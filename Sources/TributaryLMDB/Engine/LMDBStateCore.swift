internal import CLMDB
internal import TributaryCore
internal import TributaryState

/// What the engine and its tables share: the environment and the one write transaction between two commits.
final class LMDBStateCore {
    struct State: ~Copyable {
        var environment: LMDBEnvironment?
        /// Begun with the first use after a commit or abort, so that an idle engine may move to another thread.
        var transaction: WriteTransaction?
        /// What broke the transaction; everything but an abort throws it again.
        var failure: StoreError?
        /// Whether operations may go ahead: a transaction is open and nothing has failed.
        var isReady = false
        /// Changes with each commit and abort, which end the cursors.
        var epoch = 0
        /// Bytes of rows written since the last commit.
        var dirtyBytes = 0
        /// Bytes of all pages when there were this many dirty ones.
        var pageBytes = Int.max
        var askedAt = 0

        init(environment: LMDBEnvironment) { self.environment = environment }
    }

    let state: Owned<State>
    let options: LMDBStateOptions
    /// What readers on other threads read.
    let shared: LMDBSharedEnvironment

    init(_ environment: LMDBEnvironment, options: LMDBStateOptions) {
        state = Owned(State(environment: environment))
        shared = LMDBSharedEnvironment(environment, hasEngine: true)
        self.options = options
    }

    var epoch: Int { state.value.epoch }

    /// Makes sure that a transaction is open and sound; to be called before anything else here.
    @inline(__always)
    func ready() throws(StoreError) {
        if !state.value.isReady { try begin() }
    }

    @inline(never)
    private func begin() throws(StoreError) {
        guard let environment = state.value.environment else { throw StoreError(.closed, "the engine is closed") }
        if let failure = state.value.failure { throw failure }
        do throws(LMDBError) {
            state.value.transaction = try environment.write()
        } catch {
            throw StoreError(error)
        }
        state.value.isReady = true
    }

    /// Remembers that a write failed: the transaction is of no use any more.
    @inline(never)
    @discardableResult
    func failed(_ failure: StoreError) -> StoreError {
        if let first = state.value.failure { return first }
        state.value.failure = failure
        state.value.isReady = false
        return failure
    }

    @inline(never)
    func failed(_ error: LMDBError, store: String?) -> StoreError { failed(StoreError(error, store: store)) }

    /// Makes everything durable and ends the transaction, with it all cursors.
    func commit() throws(StoreError) {
        if state.value.environment == nil { throw StoreError(.closed, "the engine is closed") }
        if let failure = state.value.failure { throw failure }
        state.value.isReady = false
        state.value.epoch += 1
        do throws(LMDBError) {
            try state.value.transaction.take()?.commit()
        } catch {
            throw failed(error, store: nil)
        }
        state.value.dirtyBytes = 0
        state.value.askedAt = 0
        state.value.pageBytes = .max
    }

    func abort() {
        state.value.isReady = false
        state.value.failure = nil
        state.value.epoch += 1
        state.value.dirtyBytes = 0
        state.value.askedAt = 0
        state.value.pageBytes = .max
        state.value.transaction = nil
    }

    func close() {
        abort()
        state.value.environment = nil
    }
}

// The operations of the open transaction. They hand bytes to writers, since no view may outlive a write.
extension LMDBStateCore.State {
    /// Appends the value of a key of LMDB; returns false if there is none.
    @inline(__always)
    func get(_ database: LMDBDatabase, _ key: RawSpan, _ seal: RowSeal, appendTo value: inout ByteWriter)
        throws(LMDBError) -> Bool
    {
        guard let found = try transaction?.value(database, key) else { return false }
        guard let content = seal.open(key, found) else { throw badRow() }
        value.append(content)
        return true
    }

    /// The same by a cursor, which stays at the key.
    @inline(__always)
    func get(_ cursor: LMDBWriteCursor, _ key: RawSpan, _ seal: RowSeal, appendTo value: inout ByteWriter)
        throws(LMDBError) -> Bool
    {
        guard let found = try transaction?.value(cursor, key) else { return false }
        guard let content = seal.open(key, found) else { throw badRow() }
        value.append(content)
        return true
    }

    /// The same, for a caller that keeps the key beside the value.
    func get(
        _ database: LMDBDatabase, keyIn key: borrowing ByteWriter, _ seal: RowSeal, appendTo value: inout ByteWriter
    ) throws(LMDBError) -> Bool {
        try get(database, key.bytes, seal, appendTo: &value)
    }

    @inline(__always)
    mutating func put(
        _ cursor: LMDBWriteCursor, _ key: RawSpan, _ value: RawSpan, _ seal: RowSeal, append: Bool
    ) throws(LMDBError) {
        try transaction?.put(cursor, key, value, checksum: seal.checksum(key, value), append: append)
    }

    @inline(never)
    private func badRow() -> LMDBError {
        environment?.failure("checksum", LMDBError.badRow)
            ?? LMDBError(code: LMDBError.badRow, call: "checksum", path: "state")
    }

    mutating func delete(_ database: LMDBDatabase, _ key: RawSpan) throws(LMDBError) -> Bool {
        try transaction?.delete(database, key) ?? false
    }

    /// Where a cursor came to.
    enum Place {
        case end
        case plain
        case bucket
        /// A key that is not of the table: a record of the engine's own.
        case foreign
    }

    /// Moves a cursor, or seeks the first key of LMDB that is not below `target`; replaces the content of `key` by the key
    /// there, without its tag, and that of `value` by the value.
    func step(
        _ cursor: LMDBWriteCursor, _ move: LMDBMove, _ seal: RowSeal, key: inout ByteWriter, value: inout ByteWriter
    ) throws(LMDBError) -> Place {
        guard let entry = try transaction?.move(cursor, move) else { return .end }
        return try copy(entry, seal, key: &key, value: &value)
    }

    func seek(
        _ cursor: LMDBWriteCursor, _ target: RawSpan, _ seal: RowSeal, key: inout ByteWriter, value: inout ByteWriter
    ) throws(LMDBError) -> Place {
        guard let entry = try transaction?.seek(cursor, target) else { return .end }
        return try copy(entry, seal, key: &key, value: &value)
    }

    /// The same, for a caller that keeps the target beside key and value.
    func seek(
        _ cursor: LMDBWriteCursor, targetIn target: borrowing ByteWriter, _ seal: RowSeal, key: inout ByteWriter,
        value: inout ByteWriter
    ) throws(LMDBError) -> Place {
        try seek(cursor, target.bytes, seal, key: &key, value: &value)
    }

    @inline(__always)
    private func copy(
        _ entry: borrowing LMDBEntry, _ seal: RowSeal, key: inout ByteWriter, value: inout ByteWriter
    ) throws(LMDBError) -> Place {
        key.removeAll()
        value.removeAll()
        guard entry.key.byte(at: 0) == KeyBucket.tag else { return .foreign }
        guard let content = seal.open(entry.key, entry.value) else { throw badRow() }
        key.append(entry.key.dropping(1))
        value.append(content)
        return KeyBucket.isBucket(entry.key) ? .bucket : .plain
    }
}
