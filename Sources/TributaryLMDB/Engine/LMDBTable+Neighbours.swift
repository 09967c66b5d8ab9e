internal import TributaryCore
internal import TributaryState

extension LMDBTable {
    /// The key next to another, by the cursor that writes use; where cursors are open, or keys are long, by a cursor of its own.
    func neighbour(
        of key: RawSpan, before: Bool, orEqual: Bool, into found: inout ByteWriter
    ) throws(StoreError) -> Bool {
        try prepare()
        guard state.value.openCursors == 0, state.value.overlay == nil, !KeyBucket.isLong(key) else {
            return try neighbourByCursor(of: key, before: before, orEqual: orEqual, into: &found)
        }
        let cursor = try state.value.requireCursor()
        let place: LMDBStateCore.State.Place
        do throws(LMDBError) {
            place = try state.value.seekNeighbour(
                of: key, before: before, orEqual: orEqual, cursor, core, passed, into: &found)
        } catch {
            throw StoreError(error, store: name)
        }
        switch place {
        case .plain: return true
        case .end:
            found.removeAll()
            return false
        case .bucket, .foreign:
            return try neighbourByCursor(of: key, before: before, orEqual: orEqual, into: &found)
        }
    }
}

extension LMDBTableState {
    fileprivate mutating func seekNeighbour(
        of key: RawSpan, before: Bool, orEqual: Bool, _ cursor: LMDBWriteCursor, _ core: LMDBStateCore,
        _ passed: ByteBuffer, into found: inout ByteWriter
    ) throws(LMDBError) -> LMDBStateCore.State.Place {
        KeyBucket.write(key, into: &physical)
        let place = try core.state.value.seek(cursor, physical.bytes, seal, key: &found, value: &passed.writer)
        switch place {
        case .plain: break
        case .end where before:
            return try core.state.value.step(cursor, .last, seal, key: &found, value: &passed.writer)
        case .end, .bucket, .foreign: return place
        }
        let isEqual = found.bytes.isEqual(to: key)
        if isEqual && orEqual { return place }
        if before { return try core.state.value.step(cursor, .previous, seal, key: &found, value: &passed.writer) }
        return isEqual ? try core.state.value.step(cursor, .next, seal, key: &found, value: &passed.writer) : place
    }
}
