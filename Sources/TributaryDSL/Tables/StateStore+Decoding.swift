public import TributaryCore
public import TributaryState

extension StateStore {
    /// The value that the last ``read(_:)`` found, decoded.
    ///
    /// - Throws: ``StoreError`` that names store and key: the application's handler for bytes that a serde refuses is asked.
    @inlinable
    @inline(__always)
    public func decodedValue<Value>(_ serde: Serde<Value>, key: RawSpan) throws(StoreError) -> Value {
        do { return try serde.decode(value) } catch { throw refused(error, key: key) }
    }

    /// The error for a stored value that a serde refused.
    @inline(never)
    @usableFromInline
    func refused(_ error: any Error, key: RawSpan) -> StoreError { malformed(ErrorText.of(error), key: key) }

    /// The error for a stored value that isn't one.
    @inline(never)
    public func malformed(_ message: String, key: RawSpan) -> StoreError {
        StoreError(.undecodable, "a stored value: \(message)", store: name, key: key.hexadecimal)
    }
}
