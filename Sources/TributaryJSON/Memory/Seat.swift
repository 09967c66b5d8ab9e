internal import Synchronization

/// The name here for the class that the standard library puts behind a container of keys: only counted, never looked into.
private final class Box {}

/// One container of keys that is lent again and again, and what it works on.
@safe final class Seat<State: AnyObject> {
    // Lives as long as the call, and longer if `keeper` says so.
    fileprivate let unkept: Unmanaged<State>
    fileprivate var keeper: State?
    // No access nests in another.
    @exclusivity(unchecked) fileprivate var place: Int
    @exclusivity(unchecked) fileprivate var lent = false
    @exclusivity(unchecked) fileprivate var holder: AnyObject?
    // The reference in the holder that is the container.
    @exclusivity(unchecked) fileprivate var box: UnsafeMutablePointer<Box>?
    // How many keys were asked for, and how far from the object's token each was found the last time.
    @exclusivity(unchecked) fileprivate var turns = 0
    fileprivate let offsets = Table<UInt32>(capacity: 16)
    /// The next seat for the same type of keys.
    fileprivate var next: Seat?

    init(_ state: State, _ index: Int) {
        unsafe unkept = Unmanaged.passUnretained(state)
        unsafe place = index
    }

    var cursor: Cursor<State> { unsafe Cursor(Unmanaged.passUnretained(self)) }

    /// Takes the container that works on this seat.
    func fill<Container>(_ container: Container) {
        let holder = Holder(container)
        unsafe box = holder.box
        unsafe self.holder = holder
    }

    /// Keeps the state as long as the seat lives.
    func keepState() { keeper = unsafe unkept.takeUnretainedValue() }
}

/// A seat as a plain word, which no copy counts: the standard library copies what a container consists of for each member.
///
/// Safe because a seat stays as long as anybody holds its container.
@safe struct Cursor<State: AnyObject>: BitwiseCopyable {
    private let seat: Unmanaged<Seat<State>>

    fileprivate init(_ seat: Unmanaged<Seat<State>>) { unsafe self.seat = seat }

    var state: State {
        @inline(__always) get { unsafe seat._withUnsafeGuaranteedRef { unsafe $0.unkept.takeUnretainedValue() } }
    }

    var index: Int {
        @inline(__always) get { unsafe seat._withUnsafeGuaranteedRef { unsafe $0.place } }
    }

    /// True from the first time in a call that it is lent.
    var isLent: Bool {
        @inline(__always) get { unsafe seat._withUnsafeGuaranteedRef { unsafe $0.lent } }
        @inline(__always) nonmutating set { unsafe seat._withUnsafeGuaranteedRef { unsafe $0.lent = newValue } }
    }

    /// True if nobody else holds the container.
    var isFree: Bool {
        @inline(__always) get { unsafe seat._withUnsafeGuaranteedRef { $0.isFree } }
    }

    var next: Cursor? { unsafe seat._withUnsafeGuaranteedRef { $0.next?.cursor } }

    @inline(__always)
    func place(at index: Int) {
        unsafe seat._withUnsafeGuaranteedRef {
            unsafe $0.place = index
            unsafe $0.turns = 0
        }
    }

    /// Counts a key that is asked for, from zero on.
    @inline(__always)
    func nextTurn() -> Int {
        unsafe seat._withUnsafeGuaranteedRef {
            let turn = unsafe $0.turns
            unsafe $0.turns = turn &+ 1
            return turn
        }
    }

    /// How far from the object the key of this turn was the last time; zero if that isn't known.
    @inline(__always)
    func offset(_ turn: Int) -> Int {
        unsafe seat._withUnsafeGuaranteedRef { turn < $0.offsets.count ? Int($0.offsets[turn]) : 0 }
    }

    /// Remembers an offset of one of the first 64 turns.
    func setOffset(_ offset: Int, _ turn: Int) {
        guard turn < 64 else { return }
        unsafe seat._withUnsafeGuaranteedRef {
            while $0.offsets.count <= turn { $0.offsets.append(0) }
            $0.offsets[turn] = UInt32(truncatingIfNeeded: offset)
        }
    }

    /// Calls `body` with the state; no reference is counted.
    @inline(__always)
    func with<Result>(_ body: (State) throws -> Result) rethrows -> Result {
        try unsafe seat._withUnsafeGuaranteedRef { (seat) throws in
            try unsafe seat.unkept._withUnsafeGuaranteedRef { try body($0) }
        }
    }

    /// Calls `body` with the state and the index; no reference is counted.
    @inline(__always)
    func with<Result>(_ body: (State, Int) throws -> Result) rethrows -> Result {
        try unsafe seat._withUnsafeGuaranteedRef { (seat) throws in
            let index = unsafe seat.place
            return try unsafe seat.unkept._withUnsafeGuaranteedRef { try body($0, index) }
        }
    }

    /// The container, which has the type that was given to `fill`.
    @inline(__always)
    func container<Container>(_ type: Container.Type) -> Container {
        unsafe seat._withUnsafeGuaranteedRef { seat in
            guard let holder = unsafe seat.holder else { preconditionFailure("an empty seat") }
            return unsafe unsafeDowncast(holder, to: Holder<Container>.self).container()
        }
    }

    /// Puts a seat behind this one.
    func insert(_ new: Seat<State>) {
        unsafe seat._withUnsafeGuaranteedRef {
            new.next = $0.next
            $0.next = new
        }
    }

    /// Takes the next seat from this one; whoever calls owns it.
    func takeNext() -> Cursor? {
        unsafe seat._withUnsafeGuaranteedRef {
            guard let next = $0.next.take() else { return nil }
            return unsafe Cursor(Unmanaged.passRetained(next))
        }
    }

    /// Makes whoever calls an owner of the seat, who must call ``release()``.
    func retain() { _ = unsafe seat.retain() }

    /// Undoes ``retain()``, and may end the seat.
    func release() { unsafe seat.release() }

    /// Leaves the seat to whoever holds its container, with the state.
    func retire() {
        unsafe seat._withUnsafeGuaranteedRef {
            $0.keepState()
            RetiredSeats.add($0)
        }
    }
}

/// Holds one container where its reference can be counted.
///
/// Generic over the container, not over its keys: what returns it then has the metadata at hand, which would take hundreds
/// of instructions to look up.
@safe private final class Holder<Container> {
    private let place: UnsafeMutablePointer<Container>

    init(_ container: Container) {
        unsafe place = UnsafeMutablePointer<Container>.allocate(capacity: 1)
        unsafe place.initialize(to: container)
    }

    deinit {
        unsafe place.deinitialize(count: 1)
        unsafe place.deallocate()
    }

    @inline(never)
    func container() -> Container { unsafe place.pointee }

    /// The one reference that a container consists of; nothing if the standard library has changed that.
    var box: UnsafeMutablePointer<Box>? {
        guard MemoryLayout<Container>.size == MemoryLayout<Box>.size else { return nil }
        return unsafe UnsafeMutableRawPointer(place).assumingMemoryBound(to: Box.self)
    }
}

protocol CountedSeat: AnyObject {
    /// True if nobody else holds the container.
    var isFree: Bool { get }
}

extension Seat: CountedSeat {
    var isFree: Bool {
        @inline(__always) get {
            guard let box = unsafe box else { return false }
            return unsafe isKnownUniquelyReferenced(&box.pointee)
        }
    }
}

/// Seats whose containers have outlived their call; each stays until nobody holds the container.
///
/// Unchecked: whoever sees a count of one is the only one left.
struct RetiredSeats: @unchecked Sendable {
    private var seats: [any CountedSeat] = []
    private var limit = 16
    private static let all = Mutex(RetiredSeats())

    static func add(_ seat: any CountedSeat) {
        let new = RetiredSeats(seats: [seat])
        // What goes goes outside of the lock, as it may hold anything.
        let free = all.withLock { all in
            all.seats += new.seats
            guard all.seats.count > all.limit else { return RetiredSeats() }
            let free = RetiredSeats(seats: all.seats.filter(\.isFree))
            all.seats.removeAll(where: \.isFree)
            all.limit = max(16, 2 * all.seats.count)
            return free
        }
        withExtendedLifetime(free) {}
    }
}
