internal import TributaryCore

/// Which entries of a cache belong together: all of one record's key, the latest first, or all of one time, in no order.
///
/// Only the caches of stores that are asked for them have it. A hash table of the families' first members, and links from each to the
/// next. To find a place costs as much as the key has later entries, which is none where records come in order.
final class KeyFamilies {
    struct Member: BitwiseCopyable {
        var hash: UInt32 = 0
        var later: Int32 = -1
        var earlier: Int32 = -1
        var time = RowTime(time: 0, start: 0)
    }

    private struct State: ~Copyable {
        var members = FlatList<Member>()
        // A first member's index + 1; 0 is empty.
        var slots = FlatList<UInt32>(repeating: 0, count: 128)
        var count = 0
    }

    private let keys: KeySchema
    private let ofTimes: Bool
    private let state = Owned(State())
    private let buffer = ByteBuffer(capacity: 64)
    /// Copies an entry's key; set by the cache.
    var copyKey: (Int32, ByteBuffer) -> Void = { _, _ in }

    init(_ keys: KeySchema, ofTimes: Bool) {
        self.keys = keys
        self.ofTimes = ofTimes
    }

    @_lifetime(copy key)
    private func family(of key: RawSpan) -> RawSpan {
        let record = keys.recordKey(of: key)
        return ofTimes ? key.dropping(record.byteCount).prefix(8) : record
    }

    /// The slot of a family: that of its first member, or the empty one where it would be.
    private func slot(_ family: RawSpan, _ hash: UInt32) -> Int {
        let mask = UInt32(state.value.slots.count - 1)
        var slot = hash & mask
        while true {
            let word = state.value.slots[Int(slot)]
            if word == 0 { return Int(slot) }
            let index = Int32(word - 1)
            if state.value.members[Int(index)].hash == hash {
                buffer.writer.removeAll()
                copyKey(index, buffer)
                if self.family(of: buffer.bytes).isEqual(to: family) { return Int(slot) }
            }
            slot = (slot &+ 1) & mask
        }
    }

    /// Takes in an entry that was made for a key.
    func insert(_ index: Int32, _ key: RawSpan) {
        while state.value.members.count <= Int(index) { state.value.members.append(Member()) }
        if (state.value.count + 1) * 2 > state.value.slots.count { grow() }
        let family = family(of: key)
        let hash = StoreCache.probe(family).hash
        var new = Member(hash: hash, time: keys.rowTime(of: key))
        let slot = slot(family, hash)
        let word = state.value.slots[slot]
        guard word != 0 else {
            state.value.members[Int(index)] = new
            state.value.slots[slot] = UInt32(index + 1)
            state.value.count += 1
            return
        }
        let first = Int32(word - 1)
        var later: Int32 = -1
        var next = first
        while !ofTimes && next >= 0 && RowTime.isBefore(new.time, state.value.members[Int(next)].time) {
            later = next
            next = state.value.members[Int(next)].earlier
        }
        new.later = later
        new.earlier = next
        state.value.members[Int(index)] = new
        if next >= 0 { state.value.members[Int(next)].later = index }
        if later >= 0 {
            state.value.members[Int(later)].earlier = index
        } else {
            state.value.slots[slot] = UInt32(index + 1)
        }
    }

    /// Takes out an entry that is still there.
    func remove(_ index: Int32) {
        let member = state.value.members[Int(index)]
        if member.earlier >= 0 { state.value.members[Int(member.earlier)].later = member.later }
        if member.later >= 0 {
            state.value.members[Int(member.later)].earlier = member.earlier
            return
        }
        let mask = UInt32(state.value.slots.count - 1)
        var slot = member.hash & mask
        while state.value.slots[Int(slot)] != UInt32(index + 1) { slot = (slot &+ 1) & mask }
        if member.earlier >= 0 {
            state.value.slots[Int(slot)] = UInt32(member.earlier + 1)
        } else {
            closeGap(slot)
            state.value.count -= 1
        }
    }

    private func closeGap(_ start: UInt32) {
        let mask = UInt32(state.value.slots.count - 1)
        var gap = start
        var slot = (start &+ 1) & mask
        while state.value.slots[Int(slot)] != 0 {
            let word = state.value.slots[Int(slot)]
            let home = state.value.members[Int(word) - 1].hash & mask
            if ((slot &- home) & mask) >= ((slot &- gap) & mask) {
                state.value.slots[Int(gap)] = word
                gap = slot
            }
            slot = (slot &+ 1) & mask
        }
        state.value.slots[Int(gap)] = 0
    }

    private func grow() {
        let old = state.value.slots.count
        var heads = FlatList<UInt32>(capacity: state.value.count)
        for slot in 0..<old where state.value.slots[slot] != 0 { heads.append(state.value.slots[slot]) }
        state.value.slots = FlatList(repeating: 0, count: old * 2)
        let mask = UInt32(old * 2 - 1)
        for place in 0..<heads.count {
            var slot = state.value.members[Int(heads[place]) - 1].hash & mask
            while state.value.slots[Int(slot)] != 0 { slot = (slot &+ 1) & mask }
            state.value.slots[Int(slot)] = heads[place]
        }
    }

    /// Calls the body with the entries of a record's key whose times lie in a range, the latest first, until it returns false.
    func forEach(_ key: RawSpan, from first: Int64, through last: Int64, _ body: (Int32, RowTime) -> Bool) {
        let word = state.value.slots[slot(key, StoreCache.probe(key).hash)]
        var index = Int32(word) - 1
        while index >= 0 {
            let member = state.value.members[Int(index)]
            guard member.time.time >= first else { return }
            if member.time.time <= last, !body(index, member.time) { return }
            index = member.earlier
        }
    }

    /// Calls the body with the entries of one time.
    func forEach(time: Int64, _ body: (Int32) -> Void) {
        timeKey.writer.removeAll()
        timeKey.writer.append(bigEndian: time)
        let key = timeKey.bytes
        var index = Int32(state.value.slots[slot(key, StoreCache.probe(key).hash)]) - 1
        while index >= 0 {
            body(index)
            index = state.value.members[Int(index)].earlier
        }
    }

    private let timeKey = ByteBuffer(capacity: 16)
}
