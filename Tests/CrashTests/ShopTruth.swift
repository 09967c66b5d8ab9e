import CrashApplication

/// What the shop app must come to, computed from what was sent, in the plainest way.
struct ShopTruth {
    struct WindowKey: Hashable {
        var account: Int64
        var start: Int64
        var end: Int64
    }

    private(set) var sessions: [WindowKey: Balance] = [:]
    private(set) var slides: [WindowKey: Balance] = [:]
    private(set) var closed: [WindowKey: Balance] = [:]
    private(set) var rated: [Int64: Balance] = [:]
    private(set) var priced: [Int64: Balance] = [:]
    private(set) var pairs: [Int64: Balance] = [:]
    private(set) var joined: [Int64: Balance] = [:]

    init(_ input: ShopInput) {
        let gap = ShopApplication.gap
        for (account, events) in input.events {
            addSessions(account, events, gap)
            // A window ends with each record, and one begins behind each that is followed by another in time.
            let starts = Set(events.map { $0.time - gap } + events.map { $0.time + 1 })
            for start in starts {
                let inside = events.filter { (start...start + gap).contains($0.time) }
                guard !inside.isEmpty else { continue }
                slides[WindowKey(account: account, start: start, end: start + gap)] = Self.sum(inside)
            }
            for event in events {
                let start = event.time / ShopApplication.windowSize * ShopApplication.windowSize
                let key = WindowKey(account: account, start: start, end: start + ShopApplication.windowSize)
                closed[key, default: Balance()].add(event)
                if let rate = input.rates[account % 10] { rated[account, default: Balance()].add(event, times: rate) }
                if let price = input.prices[account]?.last(where: { $0.time <= event.time }) {
                    priced[account, default: Balance()].add(event, times: price.row)
                }
            }
        }
        addPairs(input, gap)
        for (key, order) in input.orders {
            guard let customer = input.customers[order.account] else { continue }
            joined[key, default: Balance()].add(
                ShopInput.Event(time: 0, amount: order.amount, token: order.token), times: customer)
        }
    }

    private mutating func addSessions(_ account: Int64, _ events: [ShopInput.Event], _ gap: Int64) {
        var open: [ShopInput.Event] = []
        for event in events {
            if let last = open.last, event.time - last.time > gap { end(account, &open) }
            open.append(event)
        }
        end(account, &open)
    }

    private mutating func end(_ account: Int64, _ events: inout [ShopInput.Event]) {
        guard let first = events.first, let last = events.last else { return }
        sessions[WindowKey(account: account, start: first.time, end: last.time)] = Self.sum(events)
        events = []
    }

    private mutating func addPairs(_ input: ShopInput, _ gap: Int64) {
        func isNear(_ one: ShopInput.Event, _ other: ShopInput.Event) -> Bool { abs(one.time - other.time) <= gap }
        for account in Set(input.left.keys).union(input.right.keys) {
            let left = input.left[account] ?? []
            let right = input.right[account] ?? []
            for one in left { for other in right where isNear(one, other) { addPair(account, [one, other]) } }
            for one in left where !right.contains(where: { isNear(one, $0) }) { addPair(account, [one]) }
            for one in right where !left.contains(where: { isNear(one, $0) }) { addPair(account, [one]) }
        }
    }

    private mutating func addPair(_ account: Int64, _ events: [ShopInput.Event]) {
        var pair = Self.sum(events)
        pair.count = events.count == 1 ? ShopApplication.unmatched : 1
        pairs[account, default: Balance()].add(pair)
    }

    private static func sum(_ events: [ShopInput.Event]) -> Balance {
        var sum = Balance()
        for event in events { sum.add(event) }
        return sum
    }
}

extension Balance {
    fileprivate mutating func add(_ event: ShopInput.Event) {
        count += 1
        amount += event.amount
        contributions += 1
        token &+= event.token
    }

    fileprivate mutating func add(_ event: ShopInput.Event, times row: Account) {
        count += 1
        amount += event.amount * row.revision
        contributions += 2
        token &+= event.token &+ row.token
    }

    fileprivate mutating func add(_ other: Balance) {
        count += other.count
        amount += other.amount
        contributions += other.contributions
        token &+= other.token
    }
}
