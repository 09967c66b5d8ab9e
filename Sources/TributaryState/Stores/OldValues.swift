internal import TributaryCore

/// What the rows of a flush under way were before it, by the entries of the cache.
final class OldValues {
    private struct Place: BitwiseCopyable {
        var start = -1
        var end = -1
    }

    private let bytes = ByteBuffer()
    private let places = Owned(FlatArray<Place>(repeating: Place(), count: 0))

    /// Before a flush.
    func removeAll() { bytes.writer.removeAll() }

    /// Notes the value of an entry's row; nil: there is no row.
    func note(_ entry: Int32, _ value: RawSpan?) {
        if places.value.count <= Int(entry) {
            places.value.grow(to: max(Int(entry) + 1, 2 * places.value.count, 64), filling: Place())
        }
        guard let value else {
            places.value[Int(entry)] = Place()
            return
        }
        let start = bytes.count
        bytes.writer.append(value)
        places.value[Int(entry)] = Place(start: start, end: bytes.count)
    }

    /// The value that an entry's row had; nil if there was no row.
    @_lifetime(immortal)
    func value(of entry: Int32) -> RawSpan? {
        let place = places.value[Int(entry)]
        return place.start < 0 ? nil : bytes.bytes(in: place.start..<place.end)
    }
}
