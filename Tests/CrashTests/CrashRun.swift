import CrashApplication
import Glibc
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// One application on one log that is killed again and again, and judged at the end.
final class CrashRun {
    private let guarantee: ProcessingGuarantee
    private let seed: UInt64
    private let folder: TemporaryFolder
    private let log: EmbeddedLog
    private let input: BankInput
    private var random: SeededGenerator
    private var points: [String: Int] = [:]

    private let judge: BankJudge

    private var state: String { judge.state }
    private var comment: Comment { judge.comment }

    /// - Parameter maintains: whether the test's own process compacts, too, and not the application's alone.
    init(_ guarantee: ProcessingGuarantee, seed: UInt64, maintains: Bool = true) throws {
        self.guarantee = guarantee
        self.seed = seed
        folder = try TemporaryFolder()
        var configuration = BankApplication.logConfiguration
        if !maintains { configuration.maintenanceInterval = .zero }
        log = try EmbeddedLog.open(at: folder.path + "/log", configuration: configuration)
        try log.createTopics(BankApplication.topics)
        random = SeededGenerator(seed: seed)
        input = try BankInput(log, accounts: 400, seed: seed)
        try input.openAccounts()
        judge = BankJudge(
            guarantee, log, input, state: folder.path + "/log/state/" + BankApplication.id,
            comment: "\(guarantee.rawValue), TRIBUTARY_SEED=\(seed)")
    }

    private func start(_ environment: [String: String] = [:]) throws -> Program {
        try Program(
            [
                Program.own("tributary-crash-child"), folder.path + "/log", guarantee.rawValue,
                "\(1 + random.next() % 3)",
            ], environment: environment)
    }

    private func pause(upTo milliseconds: UInt64) {
        usleep(UInt32(random.next() % (milliseconds * 1000)))
    }

    /// Starts the application and kills it: some time after its start, in full work, or in its shutdown.
    func kill(_ number: Int) throws {
        try input.transfer(Int(random.next() % 3000))
        // Now and then the state is lost, so that a kill meets a long restore.
        if random.next() % 5 == 0, rename(state, "\(folder.path)/lost-\(number)") == 0 {
            points["with the state lost", default: 0] += 1
        }
        let child = try start()
        let point = random.next() % 4
        if point == 0 {
            points["during start", default: 0] += 1
            pause(upTo: 250)
        } else {
            let said = child.read(milliseconds: 30_000)
            try #require(said == "running\n", "\(said) \(comment)")
            for _ in 0..<(random.next() % 4) {
                try input.transfer(Int(random.next() % 1500))
                if random.next() % 3 == 0 { try input.openAccounts(Int64(number % 100)..<Int64(number % 100 + 10)) }
                pause(upTo: 60)
            }
            pause(upTo: 60)
            points[point == 1 ? "in shutdown" : "in work", default: 0] += 1
            if point == 1 {
                child.signal(SIGTERM)
                pause(upTo: 30)
            }
        }
        child.signal(SIGKILL)
        let status = child.wait()
        if try !judge.lag().isEmpty { points["with work left", default: 0] += 1 }
        #expect(status == -SIGKILL || (point == 1 && status == 0), "ended by itself: \(status) \(comment)")
    }

    /// Starts the application and has it kill itself at a point between two steps.
    ///
    /// - Returns: whether it came there.
    func kill(at point: KillPoint, number: Int) throws -> Bool {
        // A restore needs state that is lost, or that is behind the changelog.
        if point.isOfRebuild || (point.isOfRestore && random.next() % 2 == 0) {
            _ = rename(state, "\(folder.path)/lost-\(point.rawValue)-\(number)")
        }
        try input.transfer(200)
        let time = point.isOfStart || point == .purged ? 1 : 1 + random.next() % 4
        let child = try start(["TRIBUTARY_KILL_AT": "\(point.rawValue):\(time)"])
        // It goes on getting records, so that each step comes again and again.
        var waited = 0
        while !child.hasEnded && waited < 1_000 {
            if waited % 4 == 0 { try input.transfer(50) }
            if waited % 8 == 0 { try input.openAccounts(Int64(waited % 100)..<Int64(waited % 100 + 5)) }
            // Comes at its end, and each half minute.
            if point == .purged && waited == 300 { child.signal(SIGTERM) }
            usleep(5_000)
            waited += 1
        }
        let isReached = child.hasEnded
        if !isReached { child.signal(SIGKILL) }
        let status = child.wait()
        #expect(status == -SIGKILL, "\(point) ended by itself: \(status) \(comment)")
        return isReached
    }

    /// Starts the application under a clock that jumps, expects that it goes on committing, and kills or stops it.
    ///
    /// - Returns: how often the clock was set while it worked.
    func work(withJumpsEvery interval: Int, _ number: Int) throws -> Int {
        if number % 4 == 3 { _ = rename(state, "\(folder.path)/lost-\(number)") }
        let child = try start(["TRIBUTARY_CLOCK_JUMPS": "\(interval)"])
        let said = child.read(milliseconds: 30_000)
        try #require(said == "running\n", "\(said) \(comment)")
        let start = TimeSource.system.monotonic.milliseconds
        // Through all four positions of the clock, in each of which what is sent must be committed.
        for step in 1...8 {
            try input.transfer(200)
            try waitUntilCommitted("\(step)")
            let due = start + Int64(interval * step / 2)
            usleep(UInt32(max(due - TimeSource.system.monotonic.milliseconds, 0)) * 1000)
        }
        let jumps = Int(TimeSource.system.monotonic.milliseconds - start) / interval
        try input.transfer(100)
        child.signal(number % 2 == 0 ? SIGKILL : SIGTERM)
        let status = child.wait()
        #expect(status == (number % 2 == 0 ? -SIGKILL : 0), "ended with \(status) \(comment)")
        return jumps
    }

    private func waitUntilCommitted(_ step: String) throws {
        let start = TimeSource.system.monotonic.milliseconds
        while true {
            let lag = try judge.lag()
            if lag.isEmpty { return }
            let waited = TimeSource.system.monotonic.milliseconds - start
            try #require(waited < 20_000, "step \(step): nothing is committed any more: \(lag) \(comment)")
            usleep(5_000)
        }
    }

    /// Lets the application work until it has committed everything, and stops it.
    func finish() throws {
        try input.transfer(1000)
        let child = try start()
        var last: [TopicPartition: Int64] = [:]
        var waited = 0
        while true {
            let lag = try judge.lag()
            if lag.isEmpty { break }
            waited = lag == last ? waited + 1 : 0
            last = lag
            try #require(waited < 2000, "the application does not get on: \(lag) \(comment)")
            usleep(10_000)
        }
        child.signal(SIGTERM)
        #expect(child.wait() == 0, comment)
    }

    // MARK: Judging

    /// Compares stores, changelogs and outputs with the sums of what was sent.
    func check() throws {
        let doubled = try judge.check()
        print(
            "\(guarantee.rawValue): \(input.sent) transactions, \(doubled) counts doubled, kills \(points), "
                + "TRIBUTARY_SEED=\(seed)")
    }

    /// A state directory made from nothing but the changelogs holds the same bytes.
    func checkRestored() throws {
        let stores = ["balances", "windows", "accounts"]
        let before = try stores.map { try BankState.rows(state, store: $0, tasks: judge.tasks) }
        guard rename(state, folder.path + "/old-state") == 0 else { throw SystemFailure("rename") }
        let child = try start()
        #expect(child.read(milliseconds: 60_000) == "running\n", comment)
        child.signal(SIGTERM)
        #expect(child.wait() == 0, comment)
        for (store, rows) in zip(stores, before) {
            let restored = try BankState.rows(state, store: store, tasks: judge.tasks)
            #expect(restored == rows, "\(store) restored differs \(comment)")
        }
    }
}
