public import TributaryCore

/// Reads what an engine has committed, from any thread, while the engine goes on.
public protocol CommittedReader: Sendable {
    /// The names of the tables that can be read, ascending.
    func tableNames() throws(StoreError) -> [String]

    /// Replaces the content of `value` by the committed value of a key; returns false if there is none.
    func get(_ table: String, _ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool

    /// Calls the body with each committed entry between two keys, both included (nil: open-ended), until it returns false.
    func forEach(
        _ table: String, from lower: RawSpan?, through upper: RawSpan?,
        _ body: (_ key: RawSpan, _ value: RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError)

    /// A small value kept beside the tables, as committed.
    func metadata(_ key: String) throws(StoreError) -> [UInt8]?
}
