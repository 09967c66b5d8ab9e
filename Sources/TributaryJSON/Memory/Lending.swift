/// Containers of keys, by the type of their keys, each lent again as soon as nobody holds it.
///
/// To make one costs an allocation and look-ups of generic metadata, more than to decode two members. Safe because a
/// container is lent only when nobody else holds it, and because one that outlives the call keeps its seat and the state.
@safe struct Lending<State: AnyObject>: ~Copyable {
    /// One type of keys and its seats, of which the first owns the next and so on; the one lent last is tried first.
    @safe private struct Entry: BitwiseCopyable {
        let type: KeyType
        var first: Cursor<State>?
        var last: Cursor<State>?
    }

    private let entries = Table<Entry>(capacity: 16)
    private let lent = Table<Cursor<State>>(capacity: 16)
    // The entry that a type may have, by a hash of its address, plus one.
    private let hints = Table<UInt32>(capacity: 64)
    private let isOpen = Cell(true)

    init() { for _ in 0..<64 { hints.append(0) } }

    deinit { removeSeats() }

    /// The number of a type, from one on; it stays the same as long as the state lives.
    @inline(__always)
    func number(of type: any CodingKey.Type) -> Int {
        let key = KeyType(type)
        let hint = Int(hints[key.hash])
        if hint > 0, entries[hint &- 1].type == key { return hint }
        return search(key)
    }

    func type(_ number: Int) -> any CodingKey.Type { entries[number &- 1].type.type }

    @inline(never)
    private func search(_ key: KeyType) -> Int {
        var number = 1
        while number <= entries.count, entries[number &- 1].type != key { number &+= 1 }
        if number > entries.count { entries.append(Entry(type: key)) }
        hints[key.hash] = UInt32(truncatingIfNeeded: number)
        return number
    }

    /// A seat for keys of type `number` whose container nobody holds; it then is at `index`.
    @inline(__always)
    func borrow(_ number: Int, _ index: Int) -> Cursor<State>? {
        guard let last = entries[number &- 1].last else { return nil }
        guard let cursor = last.isFree ? last : free(number) else { return nil }
        if !cursor.isLent {
            cursor.isLent = true
            lent.append(cursor)
        }
        cursor.place(at: index)
        return cursor
    }

    /// Another free seat: mostly the next one, as objects of one type lie in each other.
    @inline(never)
    private func free(_ number: Int) -> Cursor<State>? {
        var next = entries[number &- 1].last?.next
        if next?.isFree != true {
            next = entries[number &- 1].first
            while let cursor = next, !cursor.isFree { next = cursor.next }
        }
        if let next { entries[number &- 1].last = next }
        return next
    }

    /// Remembers a new seat whose container is about to be lent.
    @inline(never)
    func add(_ seat: Seat<State>, number: Int) {
        guard isOpen.value else {
            seat.keepState()
            return RetiredSeats.add(seat)
        }
        let cursor = seat.cursor
        if let last = entries[number &- 1].last {
            last.insert(seat)
        } else {
            cursor.retain()
            entries[number &- 1].first = cursor
        }
        entries[number &- 1].last = cursor
        cursor.isLent = true
        lent.append(cursor)
    }

    /// Ends a call: a container that is still held keeps the state from now on, and none is lent any more.
    @inline(__always)
    func settle() {
        var isHeld = false
        var position = 0
        while position < lent.count {
            lent[position].isLent = false
            if !lent[position].isFree { isHeld = true }
            position &+= 1
        }
        if isHeld || lent.count > 1024 { tidy(isHeld) }
        lent.removeAll()
    }

    /// Leaves seats that are held to their holders, and lends no more; gives back seats of which there are many.
    @inline(never)
    private func tidy(_ isHeld: Bool) {
        for index in 0..<entries.count where isHeld {
            var next = entries[index].first
            while let cursor = next {
                next = cursor.next
                if !cursor.isFree { cursor.retire() }
            }
        }
        if isHeld { isOpen.value = false }
        removeSeats()
    }

    private func removeSeats() {
        for index in 0..<entries.count {
            var next = entries[index].first
            entries[index].first = nil
            entries[index].last = nil
            // One by one: to release the first alone would nest as deep as there are seats.
            while let cursor = next {
                next = cursor.takeNext()
                cursor.release()
            }
        }
    }
}
