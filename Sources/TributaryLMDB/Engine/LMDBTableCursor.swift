internal import TributaryCore
internal import TributaryState

/// A walk over a table as it was when the walk began: what lies in LMDB, which doesn't change while cursors are open, under a
/// snapshot of the overlay.
final class LMDBTableCursor: StateCursor {
    fileprivate struct State: ~Copyable {
        var walk: LMDBTableWalk
        var overlay: ByteTreeCursor?
        /// With an overlay: the next entry of each side, read ahead to be compared.
        var hasBelow = false
        var hasAbove = false
        var isWalking = true
        var keyBelow = ByteWriter(capacity: 16)
        var valueBelow = ByteWriter(capacity: 16)
        var keyAbove = ByteWriter(capacity: 16)
        var valueAbove = ByteWriter(capacity: 16)
        var isOpen = true
        var isAtEnd = false
    }

    private let table: LMDBTable
    private let epoch: Int
    private let isReverse: Bool
    private let state: Owned<State>

    init(
        _ table: LMDBTable, _ walk: consuming LMDBTableWalk, overlay: LMDBTableState.Overlay?, from lower: RawSpan?,
        through upper: RawSpan?, reverse: Bool
    ) {
        self.table = table
        epoch = table.core.epoch
        isReverse = reverse
        var state = State(walk: walk)
        if let overlay {
            state.overlay = ByteTreeCursor(overlay.tree, from: lower, through: upper, reverse: reverse)
            state.isWalking = !overlay.isCleared
        }
        self.state = Owned(state)
    }

    deinit { close() }

    func next(key: inout ByteWriter, value: inout ByteWriter) throws(StoreError) -> Bool {
        key.removeAll()
        value.removeAll()
        guard state.value.isOpen && table.core.epoch == epoch else {
            throw StoreError(.closed, "the cursor was closed, by hand or by a commit or abort", store: table.name)
        }
        guard !state.value.isAtEnd else { return false }
        try table.core.ready()
        if try state.value.next(isReverse: isReverse, key: &key, value: &value) { return true }
        key.removeAll()
        value.removeAll()
        finish()
        return false
    }

    func close() {
        guard state.value.isOpen else { return }
        finish()
        state.value.isOpen = false
    }

    /// Lets go of the table: at the end already, so that the overlay lives no longer than needed.
    private func finish() {
        guard !state.value.isAtEnd else { return }
        state.value.isAtEnd = true
        state.value.overlay = nil
        if table.core.epoch == epoch { table.cursorClosed(state.value.walk.handle) }
    }
}

extension LMDBTableCursor.State {
    fileprivate mutating func next(
        isReverse: Bool, key: inout ByteWriter, value: inout ByteWriter
    ) throws(StoreError) -> Bool {
        guard overlay != nil else { return try walk.next(key: &key, value: &value) }
        while true {
            if isWalking && !hasBelow {
                hasBelow = try walk.next(key: &keyBelow, value: &valueBelow)
                isWalking = hasBelow
            }
            if !hasAbove {
                keyAbove.removeAll()
                valueAbove.removeAll()
                hasAbove = overlay?.next(appendKeyTo: &keyAbove, appendValueTo: &valueAbove) ?? false
            }
            guard hasAbove else {
                guard hasBelow else { return false }
                key.append(keyBelow.bytes)
                value.append(valueBelow.bytes)
                hasBelow = false
                return true
            }
            if hasBelow {
                let order = keyBelow.bytes.compare(to: keyAbove.bytes)
                if isReverse ? order > 0 : order < 0 {
                    key.append(keyBelow.bytes)
                    value.append(valueBelow.bytes)
                    hasBelow = false
                    return true
                }
                // The same key: what lies above hides what lies below.
                if order == 0 { hasBelow = false }
            }
            hasAbove = false
            guard valueAbove.bytes.byte(at: 0) == 1 else { continue }
            key.append(keyAbove.bytes)
            value.append(valueAbove.bytes.dropping(1))
            return true
        }
    }
}
