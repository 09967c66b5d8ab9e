public import TributaryCore
public import TributaryState

/// The decoded values of a store's cached rows, by entry of the cache: what is read again isn't decoded again.
///
/// One for a store, shared by all nodes that read it. Only for serdes that can't say the size of what they write, which take
/// time to decode, and never for classes: a value that somebody else could change would differ from its bytes.
///
/// An aggregate may be newer here than its bytes in the cache, which encodes it when somebody asks for them.
@usableFromInline
final class DecodedRows<Value>: RowHolder {
    @usableFromInline let store: StateStore
    /// Of the node that changes values; nil where none does.
    @usableFromInline var encoder: ((Value, inout ByteWriter) throws -> Void)?
    @usableFromInline let values = Owned(ContiguousArray<Value?>())

    /// Those of a store; nil where nothing is to be gained, or where they would not be of this type.
    @inlinable
    static func of(_ store: StateStore, _ serde: Serde<Value>) -> DecodedRows? {
        if let known = store.holder { return known as? DecodedRows<Value> }
        guard case .unknown = serde.size, !(Value.self is AnyObject.Type) else { return nil }
        let rows = DecodedRows(store)
        return store.beginHolding(by: rows) ? rows : nil
    }

    @inlinable
    init(_ store: StateStore) { self.store = store }

    /// The value that a read found; nil if it has to be decoded.
    @inlinable
    @inline(__always)
    func value(_ entry: Int32) -> Value? {
        guard entry >= 0, store.isHeld(entry) else { return nil }
        return values.value[Int(entry)]
    }

    /// The same, which is given away: whoever changes it in place copies nothing, and an error leaves nothing half changed.
    @inlinable
    @inline(__always)
    func take(_ entry: Int32) -> Value? {
        guard entry >= 0, store.isHeld(entry) else { return nil }
        return values.value[Int(entry)].take()
    }

    /// Holds the value that an entry has now; does nothing for -1.
    @inlinable
    @inline(__always)
    func hold(_ value: Value, _ entry: Int32) {
        guard entry >= 0 else { return }
        if Int(entry) >= values.value.count { makeRoom(entry) }
        values.value[Int(entry)] = value
        store.setHeld(entry)
    }

    /// The error to throw instead of one that came while a value was being changed that nobody else had; nil where its bytes are there.
    @inlinable
    @inline(never)
    func lost(_ row: RawSpan) -> (any Error)? {
        store.lost(row) { Int($0) < values.value.count && values.value[Int($0)] != nil }
    }

    @inlinable
    func encode(_ entry: Int32, into writer: inout ByteWriter) throws {
        guard let encoder, let value = values.value[Int(entry)] else { throw HeldValueLost() }
        try encoder(value, &writer)
    }

    @inlinable
    @inline(never)
    func makeRoom(_ entry: Int32) {
        let more = max(Int(entry) + 1 - values.value.count, values.value.count, 64)
        values.value.append(contentsOf: repeatElement(nil, count: more))
    }
}
