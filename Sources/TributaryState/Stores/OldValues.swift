internal import TributaryCore
internal import TributaryLineage

/// What the rows of a flush under way were before it, by the entries of the cache.
final class OldValues {
    private struct Place: BitwiseCopyable {
        var start = -1
        var end = -1
        var cellEnd = -1
        var context = TraceContext.none
    }

    private let bytes = ByteBuffer()
    private let places = Owned(FlatArray<Place>(repeating: Place(), count: 0))

    /// Before a flush.
    func removeAll() { bytes.writer.removeAll() }

    /// Notes the value of an entry's row, with what it came from; nil: there is no row.
    func note(_ entry: Int32, _ value: RawSpan?, _ context: TraceContext = .none, cell: RawSpan = .empty) {
        if places.value.count <= Int(entry) {
            places.value.grow(to: max(Int(entry) + 1, 2 * places.value.count, 64), filling: Place())
        }
        guard let value else {
            places.value[Int(entry)] = Place()
            return
        }
        let start = bytes.count
        bytes.writer.append(value)
        let end = bytes.count
        bytes.writer.append(cell)
        places.value[Int(entry)] = Place(start: start, end: end, cellEnd: bytes.count, context: context)
    }

    /// What the row of an entry came from; nothing if there was none.
    func lineage(of entry: Int32, _ arena: CellArena) throws(MalformedBytes) -> Lineage {
        let place = places.value[Int(entry)]
        guard place.start >= 0 else { return .none }
        guard place.cellEnd > place.end else { return Lineage(context: place.context, cell: .empty) }
        return Lineage(context: place.context, cell: try arena.decode(bytes.bytes(in: place.end..<place.cellEnd)))
    }

    /// The value that an entry's row had; nil if there was no row.
    @_lifetime(immortal)
    func value(of entry: Int32) -> RawSpan? {
        let place = places.value[Int(entry)]
        return place.start < 0 ? nil : bytes.bytes(in: place.start..<place.end)
    }
}
