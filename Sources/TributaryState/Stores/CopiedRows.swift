internal import TributaryCore

/// Rows that were copied out of a store, to be gone through while that is read and written again.
///
/// Made once and used again and again: once it has grown nothing is allocated. Used by one thread.
public final class CopiedRows {
    private struct Place: BitwiseCopyable {
        var key: Int
        var value: Int
        var end: Int
    }

    private let bytes = ByteBuffer()
    private let places = Owned(FlatList<Place>())
    // Keys of another length are left out; -1 for none.
    private let keySize = Owned(-1)

    /// Makes room for rows.
    public init() {}

    /// How many rows there are.
    public var count: Int { places.value.count }

    /// Forgets all rows; of those that come only keys of so many bytes count, if that is said.
    public func removeAll(keySize size: Int? = nil) {
        bytes.writer.removeAll()
        places.value.removeAll()
        keySize.value = size ?? -1
    }

    /// Adds a row behind the others.
    public func add(_ key: RawSpan, _ value: RawSpan) {
        guard keySize.value < 0 || keySize.value == key.byteCount else { return }
        let start = bytes.count
        bytes.writer.append(key)
        let middle = bytes.count
        bytes.writer.append(value)
        places.value.append(Place(key: start, value: middle, end: bytes.count))
    }

    /// Forgets the rows from `count` on.
    public func truncate(to count: Int) {
        guard count < places.value.count else { return }
        bytes.writer.truncate(to: places.value[count].key)
        places.value.truncate(to: count)
    }

    /// The key of a row; a view until the rows change.
    @_lifetime(immortal)
    public func key(_ index: Int) -> RawSpan { bytes.bytes(in: places.value[index].key..<places.value[index].value) }

    /// What the engine has for it; a view until the rows change.
    @_lifetime(immortal)
    public func value(_ index: Int) -> RawSpan { bytes.bytes(in: places.value[index].value..<places.value[index].end) }
}
