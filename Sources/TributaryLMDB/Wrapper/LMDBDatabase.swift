internal import CLMDB
internal import Synchronization
internal import TributaryCore
internal import TributaryLineage

/// A named database of an environment; valid from the commit of the transaction that opened it (and inside that transaction).
package struct LMDBDatabase: Sendable, Hashable, BitwiseCopyable {
    let index: UInt32
    /// Whether each value ends with a checksum of it and its key, which is no part of it for callers.
    var isSealed = false

    /// How many bytes the checksum takes.
    private static let sealSize = 8

    /// The checksum of a value: XXH3-64 of the value plus 31 times that of the key.
    static func seal(_ key: RawSpan, _ value: RawSpan) -> UInt64 { checksum64(value) &+ 31 &* checksum64(key) }

    /// How many bytes of what is stored are the value; throws if the checksum is another's.
    @inline(__always)
    func size(_ key: RawSpan, _ stored: RawSpan, _ environment: LMDBEnvironment) throws(LMDBError) -> Int {
        guard isSealed else { return stored.byteCount }
        let size = stored.byteCount - Self.sealSize
        guard size >= 0, stored.integer(at: size, as: UInt64.self) == Self.seal(key, stored.prefix(size)) else {
            throw environment.failure("a row's checksum is wrong", MDB_CORRUPTED)
        }
        return size
    }
}

/// A key and its value, as views into the file.
package struct LMDBEntry: ~Escapable {
    /// The key.
    package let key: RawSpan
    /// The value.
    package let value: RawSpan

    @_lifetime(copy key, copy value)
    init(key: RawSpan, value: RawSpan) {
        self.key = key
        self.value = value
    }
}

/// Where a cursor goes.
package enum LMDBMove: Sendable {
    /// To the first key.
    case first
    /// To the last key.
    case last
    /// To the next key; to the first if the cursor is nowhere.
    case next
    /// To the key before; to the last if the cursor is nowhere.
    case previous
    /// Stays.
    case current

    var operation: MDB_cursor_op {
        switch self {
        case .first: MDB_FIRST
        case .last: MDB_LAST
        case .next: MDB_NEXT
        case .previous: MDB_PREV
        case .current: MDB_GET_CURRENT
        }
    }
}

// The RawSpan must be made of a `let`: of a local `var` it would put that variable on the heap, once per call.
@inline(__always)
@_lifetime(immortal)
private func view(_ value: MDB_val) -> RawSpan {
    unsafe _overrideLifetime(RawSpan(_unsafeStart: value.mv_data, byteCount: value.mv_size), copying: ())
}

extension LMDBEnvironment {
    /// The bytes that LMDB says a key or value has, if they are where such bytes can be.
    @inline(__always)
    @_lifetime(immortal)
    func checkedView(_ value: MDB_val) throws(LMDBError) -> RawSpan {
        let base = mapped.load(ordering: .relaxed)
        if base != 0 {
            let offset = UInt(bitPattern: unsafe value.mv_data) &- base
            // Outside of the map is the memory of pages that the transaction has written.
            if offset < mapLength {
                let inPage = Int(offset) & (pageSize - 1)
                if inPage == 16 {
                    try unsafe checkOwnPages(value, Int(offset))
                } else if unsafe value.mv_size > pageSize - inPage {
                    throw failure(
                        PageFault(page: UInt64(Int(offset) / pageSize), what: "a node reaches beyond its page"))
                }
            }
        }
        return unsafe view(value)
    }

    /// A value behind the head of a page has pages of its own; the head says how many.
    @inline(never)
    @unsafe private func checkOwnPages(_ value: MDB_val, _ offset: Int) throws(LMDBError) {
        let size = unsafe value.mv_size
        let page = UInt64(offset / pageSize)
        guard let start = unsafe value.mv_data, size <= mapLength, pages.holds(offset + Int(size)) else {
            throw failure(PageFault(page: page, what: "a value reaches beyond the file's end"))
        }
        let count = Int(unsafe (start - 4).loadUnaligned(as: UInt32.self))
        guard Int(size) + 16 <= count * pageSize else {
            throw failure(PageFault(page: page, what: "a value's pages are too few or too many"))
        }
    }

    /// Finds out where LMDB has mapped the file: where a key lies in memory, less where it lies in the file.
    func findMap() {
        guard mapped.load(ordering: .relaxed) == 0, let reader = try? read(), let base = reader.mapBase else { return }
        mapped.store(base, ordering: .relaxed)
    }
}

// LMDB only reads what a put or a search is given, so the cast away from const is sound.
@inline(__always)
@unsafe func argument(_ bytes: UnsafeRawBufferPointer) -> MDB_val {
    unsafe MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
}

@inline(__always)
@unsafe func rawGet(_ transaction: OpaquePointer?, _ database: UInt32, _ key: RawSpan) -> (Int32, MDB_val) {
    unsafe key.withUnsafeBytes { bytes in
        var name = unsafe argument(bytes)
        var found = unsafe MDB_val()
        let status = unsafe mdb_get(transaction, database, &name, &found)
        return unsafe (status, found)
    }
}

@inline(__always)
@unsafe func rawGet(_ cursor: OpaquePointer?, _ key: RawSpan) -> (Int32, MDB_val) {
    unsafe key.withUnsafeBytes { bytes in
        var name = unsafe argument(bytes)
        var found = unsafe MDB_val()
        let status = unsafe mdb_cursor_get(cursor, &name, &found, MDB_SET)
        return unsafe (status, found)
    }
}

@inline(__always)
@unsafe func rawMove(_ cursor: OpaquePointer?, _ operation: MDB_cursor_op) -> (Int32, MDB_val, MDB_val) {
    var key = unsafe MDB_val()
    var value = unsafe MDB_val()
    let status = unsafe mdb_cursor_get(cursor, &key, &value, operation)
    return unsafe (status, key, value)
}

@inline(__always)
@unsafe func rawSeek(_ cursor: OpaquePointer?, _ target: RawSpan) -> (Int32, MDB_val, MDB_val) {
    unsafe target.withUnsafeBytes { bytes in
        var key = unsafe argument(bytes)
        var value = unsafe MDB_val()
        let status = unsafe mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
        return unsafe (status, key, value)
    }
}

// `MDB_SET_RANGE` takes no empty key: an empty one stands for the first.
@inline(__always)
@unsafe func rawSeekOrFirst(_ cursor: OpaquePointer?, _ target: RawSpan) -> (Int32, MDB_val, MDB_val) {
    target.isEmpty ? unsafe rawMove(cursor, MDB_FIRST) : unsafe rawSeek(cursor, target)
}
