internal import TributaryCore

/// The heap: by time, then by the key's bytes.
extension SuppressionBuffer {
    private func isBefore(_ left: Int32, _ right: Int32) -> Bool {
        let one = state.value.places[Int(left)].time
        let other = state.value.places[Int(right)].time
        if one != other { return one < other }
        var offset = 0
        while let mine = cache.keyWord(left, at: offset), let its = cache.keyWord(right, at: offset) {
            if mine != its { return mine < its }
            offset += 8
        }
        return cache.entry(left).keyCount < cache.entry(right).keyCount
    }

    private func set(_ index: Int32, at position: Int) {
        state.value.heap[position] = index
        state.value.places[Int(index)].position = Int32(truncatingIfNeeded: position)
    }

    func push(_ index: Int32) {
        state.value.heap.append(index)
        rise(index, from: state.value.heap.count - 1)
    }

    private func rise(_ index: Int32, from start: Int) {
        var position = start
        while position > 0 {
            let above = (position - 1) / 2
            let parent = state.value.heap[above]
            guard isBefore(index, parent) else { break }
            set(parent, at: position)
            position = above
        }
        set(index, at: position)
    }

    private func sink(_ index: Int32, from start: Int) {
        var position = start
        let count = state.value.heap.count
        while 2 * position + 1 < count {
            var below = 2 * position + 1
            if below + 1 < count && isBefore(state.value.heap[below + 1], state.value.heap[below]) { below += 1 }
            let child = state.value.heap[below]
            guard isBefore(child, index) else { break }
            set(child, at: position)
            position = below
        }
        set(index, at: position)
    }

    /// Takes an entry out, wherever it is.
    func pop(_ index: Int32) {
        let position = Int(state.value.places[Int(index)].position)
        let last = state.value.heap[state.value.heap.count - 1]
        state.value.heap.truncate(to: state.value.heap.count - 1)
        state.value.places[Int(index)].position = -1
        guard last != index else { return }
        set(last, at: position)
        if position > 0 && isBefore(last, state.value.heap[(position - 1) / 2]) {
            rise(last, from: position)
        } else {
            sink(last, from: position)
        }
    }
}
