public import TributaryCore

/// A buffer that is used again and again, but not before the use at hand has ended.
///
/// What a node does can lead back to it with another record: a store that it reads, or that something below it reads, evicts a
/// row, and that goes to nodes above. The bytes of the record at hand have to stay then, and the other one gets another buffer.
@usableFromInline
final class ScratchBuffer {
    @usableFromInline let own = ByteBuffer()
    @usableFromInline let isTaken = Owned(false)

    @inlinable
    init() {}

    /// An empty buffer, to be given back.
    @inlinable
    @inline(__always)
    func take() -> ByteBuffer {
        if isTaken.value { return ByteBuffer() }
        isTaken.value = true
        own.writer.removeAll()
        return own
    }

    /// Ends the use of a buffer.
    @inlinable
    @inline(__always)
    func give(_ buffer: ByteBuffer) { if buffer === own { isTaken.value = false } }
}
