/// What a container of keys works on: a state, and the index of an object in it.
@safe final class Cursor<State: AnyObject> {
    // Lives as long as the call, and longer if `keeper` says so.
    private let unkept: Unmanaged<State>
    // No access nests in another.
    @exclusivity(unchecked) private var place: Int
    private var keeper: State?

    fileprivate init(_ state: State, _ index: Int, keeps: Bool) {
        unsafe unkept = Unmanaged.passUnretained(state)
        unsafe place = index
        keeper = keeps ? state : nil
    }

    var state: State {
        @inline(__always) get { unsafe unkept._withUnsafeGuaranteedRef { $0 } }
    }

    /// Calls `body` with the state and the index; no reference is counted.
    @inline(__always)
    func with<Result>(_ body: (State, Int) throws -> Result) rethrows -> Result {
        let index = index
        return try unsafe unkept._withUnsafeGuaranteedRef { try body($0, index) }
    }

    var index: Int {
        @inline(__always) get { unsafe place }
        @inline(__always) set { unsafe place = newValue }
    }

    fileprivate func keepState() { keeper = state }
}

/// The name here for the class that the standard library puts behind a container of keys: only counted, never looked into.
final class Box {}

/// Containers of keys, by the type of their keys, each lent again as soon as nobody holds it.
///
/// To make one costs an allocation and three look-ups of generic metadata, more than to decode two members. Safe because a
/// container is lent only when its box has no other owner, and because a container that outlives the call keeps the state.
@safe struct Lending<State: AnyObject>: ~Copyable {
    /// One type of keys.
    private final class Slot {
        let cursor: Cursor<State>
        // All that a container of keys consists of.
        let box: Cell<Box>
        let isLent = Cell(false)

        init(_ cursor: Cursor<State>, _ box: Box) {
            self.cursor = cursor
            self.box = Cell(box)
        }
    }

    @safe private struct Entry: BitwiseCopyable {
        let type: KeyType
        let slot: Unmanaged<Slot>?

        init(_ type: KeyType, _ slot: Slot?) {
            self.type = type
            unsafe self.slot = slot.map { unsafe Unmanaged.passRetained($0) }
        }

        var isFilled: Bool { unsafe slot != nil }
    }

    private let entries = Table<Entry>(capacity: 16)
    private let lent = Table<UInt32>(capacity: 16)
    // The slot that a type may have, by a hash of its address, plus one.
    private let hints = Table<UInt32>(capacity: 64)
    private let isOpen = Cell(true)

    init() { for _ in 0..<64 { hints.append(0) } }

    deinit { close() }

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
        if number > entries.count { entries.append(Entry(key, nil)) }
        hints[key.hash] = UInt32(truncatingIfNeeded: number)
        return number
    }

    /// The box of an idle container for keys of type `number`, whose cursor then is at `index`.
    @inline(__always)
    func borrow(_ number: Int, _ index: Int) -> Box? {
        guard let slot = unsafe entries[number &- 1].slot else { return nil }
        return unsafe slot._withUnsafeGuaranteedRef { slot in
            guard slot.box.isOnlyOwner else { return nil }
            if !slot.isLent.value {
                slot.isLent.value = true
                lent.append(UInt32(truncatingIfNeeded: number))
            }
            slot.cursor.index = index
            return slot.box.value
        }
    }

    /// A cursor for a new container, which `add` may keep for later.
    func cursor(_ state: State, _ index: Int, number: Int) -> Cursor<State> {
        let isKept = isOpen.value && !entries[number &- 1].isFilled
        return Cursor(state, index, keeps: !isKept)
    }

    /// Remembers a new container of this cursor, if it is the first for its type.
    func add(_ box: Box?, _ cursor: Cursor<State>, number: Int) {
        guard isOpen.value, !entries[number &- 1].isFilled else { return }
        guard let box else { return cursor.keepState() }
        let slot = Slot(cursor, box)
        slot.isLent.value = true
        lent.append(UInt32(truncatingIfNeeded: number))
        entries[number &- 1] = Entry(entries[number &- 1].type, slot)
    }

    /// Ends a call: a container that is still held keeps the state from now on, and none is lent any more.
    @inline(__always)
    func settle() {
        var isHeld = false
        var position = 0
        while position < lent.count {
            if let slot = unsafe entries[Int(lent[position]) &- 1].slot {
                unsafe slot._withUnsafeGuaranteedRef { slot in
                    slot.isLent.value = false
                    if !slot.box.isOnlyOwner {
                        slot.cursor.keepState()
                        isHeld = true
                    }
                }
            }
            position &+= 1
        }
        lent.removeAll()
        if isHeld { close() }
    }

    /// Lends no more: the slots go, what is held stays with its user.
    @inline(never)
    private func close() {
        isOpen.value = false
        for index in 0..<entries.count {
            let entry = entries[index]
            guard let slot = unsafe entry.slot else { continue }
            entries[index] = Entry(entry.type, nil)
            unsafe slot.release()
        }
    }
}

/// The one reference that a container of keys consists of; nothing if the standard library has changed that.
@inline(__always)
func box<Container>(_ container: Container) -> Box? {
    guard MemoryLayout<Container>.size == MemoryLayout<Box>.size else { return nil }
    return unsafe withUnsafePointer(to: container) {
        unsafe UnsafeRawPointer($0).assumingMemoryBound(to: Box.self).pointee
    }
}

extension KeyedDecodingContainer {
    /// The container whose box this is.
    @inline(__always)
    static func of(_ box: Box) -> Self {
        // Not a bit cast, which would ask for the metadata of the type.
        unsafe withUnsafePointer(to: box) { unsafe UnsafeRawPointer($0).assumingMemoryBound(to: Self.self).pointee }
    }
}

extension KeyedEncodingContainer {
    /// The container whose box this is.
    @inline(__always)
    static func of(_ box: Box) -> Self {
        // Not a bit cast, which would ask for the metadata of the type.
        unsafe withUnsafePointer(to: box) { unsafe UnsafeRawPointer($0).assumingMemoryBound(to: Self.self).pointee }
    }
}
