internal import CLMDB
internal import TributaryCore

/// A named database of an environment; valid from the commit of the transaction that opened it (and inside that transaction).
package struct LMDBDatabase: Sendable, Hashable, BitwiseCopyable {
    let index: UInt32
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
func view(_ value: MDB_val) -> RawSpan {
    unsafe _overrideLifetime(RawSpan(_unsafeStart: value.mv_data, byteCount: value.mv_size), copying: ())
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
