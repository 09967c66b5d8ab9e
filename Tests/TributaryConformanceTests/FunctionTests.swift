import Testing
package import TributaryConformance

@Suite struct FunctionTests {
    private static let windowed = CaseKey.windowed("ab", start: 0, end: 10)

    private static let values: [(String, CaseKey, String?, String?)] = [
        ("id", "k", "v", "v"), ("id", "k", nil, nil),
        ("upper", "k", "aÄz9", "AÄZ9"), ("append:.", "k", "a", "a."), ("append:.", "k", nil, nil),
        ("last:2", "k", "abc", "bc"), ("last:2", "k", "a", "a"), ("last:0", "k", "a", ""),
        ("withKey", "k", "v", "k:v"), ("withKey", .null, nil, "~:~"), ("withKey", windowed, "v", "ab@0-10:v"),
        ("len", "k", "abc", "3"), ("len", "k", nil, "0"),
        ("const:a:b", "k", nil, "a:b"), ("const:", "k", "v", ""),
        ("nullIf:x", "k", "x", nil), ("nullIf:x", "k", "xy", "xy"), ("nullIf:x", "k", nil, nil),
        ("nullIfStarts:x", "k", "xy", nil), ("nullIfStarts:x", "k", "yx", "yx"),
        ("orElse:n", "k", nil, "n"), ("orElse:n", "k", "v", "v"), ("tagNull", "k", nil, "null!"),
        ("failIf:x", "k", "y", "y"),
    ]

    @Test(arguments: values)
    func `values are made`(name: String, key: CaseKey, value: String?, expected: String?) throws {
        #expect(try ValueFunction(name)(key, CaseValue(value)) == CaseValue(expected))
    }

    private static let keys: [(String, CaseKey, String?, String?)] = [
        ("key", "k", "v", "k"), ("key", .null, "v", nil), ("key", windowed, "v", "ab@0-10"),
        ("innerKey", windowed, "v", "ab"), ("keyFirst", windowed, "v", "a"), ("keyFirst", "", "v", nil),
        ("value", "k", "v", "v"), ("value", "k", nil, nil), ("first", "k", "vw", "v"), ("first", "k", "", nil),
        ("fk", "k", "xy", "x"), ("fk", "k", "!y", nil), ("fk", "k", nil, nil), ("fk", "k", "", nil),
        ("fkOrKey", "k", "!y", "k"), ("fkOrKey", "k", "xy", "x"), ("fkOrKey", "k", nil, nil),
        ("const:g", "k", nil, "g"), ("valueUnless:x", "k", "x", nil), ("valueUnless:x", "k", "y", "y"),
        ("keyUnless:x", "k", "x", nil), ("keyUnless:x", windowed, "y", "ab@0-10"),
        ("constUnless:x", "k", "x", nil), ("constUnless:x", "k", nil, "g"),
        ("firstUnless:x", "k", "xy", nil), ("firstUnless:x", "k", "yx", "y"), ("firstUnless:x", "k", nil, nil),
    ]

    @Test(arguments: keys)
    func `keys are made`(name: String, key: CaseKey, value: String?, expected: String?) throws {
        #expect(try KeyFunction(name)(key, CaseValue(value)) == CaseKey(expected))
    }

    private static let predicates: [(String, CaseKey, String?, Bool)] = [
        ("true", "k", nil, true), ("false", "k", "v", false),
        ("notNull", "k", nil, false), ("notNull", "k", "", true), ("keyNotNull", .null, "v", false),
        ("keyNotNull", windowed, "v", true), ("starts:a", "k", "ab", true), ("starts:a", "k", nil, false),
        ("is:a", "k", "a", true), ("is:a", "k", nil, false), ("keyIs:ab", windowed, nil, true),
        ("keyIs:k", .null, nil, false), ("lenOver:1", "k", "ab", true), ("lenOver:1", "k", "a", false),
        ("lenOver:0", "k", nil, false), ("lenEven", "k", "", true), ("lenEven", "k", "a", false),
        ("lenEven", "k", nil, false),
    ]

    @Test(arguments: predicates)
    func `predicates work`(name: String, key: CaseKey, value: String?, expected: Bool) throws {
        #expect(try PredicateFunction(name)(key, CaseValue(value)) == expected)
    }

    private static let splitters: [(String, String?, [String?]?)] = [
        ("chars", "abc", ["a", "b", "c"]), ("chars", nil, []), ("chars", "", []),
        ("comma", "a,,b,", ["a", "", "b", ""]), ("comma", ",", ["", ""]), ("comma", nil, []), ("comma", "", []),
        ("twice", "v", ["v", "v"]), ("twice", nil, [nil, nil]), ("none", "v", []),
        ("nullListIf:x", "x", nil), ("nullListIf:x", "y", ["y"]), ("nullListIf:x", nil, [nil]),
    ]

    @Test(arguments: splitters)
    func `splitters work`(name: String, value: String?, expected: [String?]?) throws {
        #expect(try SplitterFunction(name)(CaseValue(value)) == expected?.map { CaseValue($0) })
    }

    private static let aggregators: [(String, CaseKey, String?, String?, String?)] = [
        ("concat", "k", "v", "a", "av"), ("concat", "k", nil, nil, "~~"), ("concatDel:x", "k", "x", "a", nil),
        ("cat:3", "k", "cd", "ab", "bcd"), ("catDel:3", "k", "dx", "ab", nil), ("catDel:3", "k", nil, "ab", "ab~"),
        ("plus", "k", "v", "a", "a+v"), ("minus", "k", "v", "a", "a-v"), ("tag:|", "k", "v", nil, "~|v"),
        ("keyed", "k", "v", "a", "akv"), ("keyed", .null, "v", "a", "a~v"),
        ("last", "k", nil, "a", nil), ("max", "k", "b", "a", "b"), ("max", "k", "a", "b", "b"),
        ("max", "k", nil, "b", "b"), ("max", "k", nil, nil, nil), ("max", "k", "", nil, ""),
        ("addLen", "k", "abc", "2", "5"), ("addLen", "k", nil, nil, "0"), ("subLen", "k", "abc", "", "-3"),
        ("sum", "k", "-2", "5", "3"), ("sum", "k", nil, "5", "5"),
        ("remove", "k", "b", "abab", "aab"), ("remove", "k", "x", "ab", "ab"), ("remove", "k", nil, "ab", "ab"),
        ("remove", "k", "b", nil, nil), ("remove", "k", "ab", "ab", ""), ("removeDel", "k", "ab", "ab", nil),
        ("removeDel", "k", "a", "ab", "b"),
    ]

    @Test(arguments: aggregators)
    func `aggregators work`(name: String, key: CaseKey, value: String?, aggregate: String?, expected: String?)
        throws
    {
        let result = try AggregatorFunction(name)(key, CaseValue(value), CaseValue(aggregate))
        #expect(result == CaseValue(expected))
    }

    private static let joiners: [(String, CaseKey, String?, String?, String?)] = [
        ("plus", "k", "l", nil, "l+~"), ("left", "k", nil, "r", nil), ("right", "k", "l", "r", "r"),
        ("null", "k", "l", "r", nil), ("short", "k", "abcd", nil, "bcd|~"),
        ("keyed", windowed, "l", "r", "ab@0-10:l/r"),
        ("keyed", .null, "l", "r", "~:l/r"), ("nullIfNoRight", "k", "l", nil, nil),
        ("nullIfNoRight", "k", nil, "r", "~+r"),
    ]

    @Test(arguments: joiners)
    func `joiners work`(name: String, key: CaseKey, left: String?, right: String?, expected: String?) throws {
        #expect(try JoinerFunction(name)(key, CaseValue(left), CaseValue(right)) == CaseValue(expected))
    }

    @Test func `counts are text to every function`() throws {
        #expect(try ValueFunction("append:!")("k" as CaseKey, .integer(12)) == .text("12!"))
        #expect(try AggregatorFunction("concat")("k" as CaseKey, .integer(1), .integer(2)) == .text("21"))
    }

    @Test func `functions that fail say so`() throws {
        #expect(throws: FunctionFailure.self) { try ValueFunction("failIf:x")("k" as CaseKey, .text("x")) }
        #expect(throws: FunctionFailure.self) { try AggregatorFunction("sum")("k" as CaseKey, .text("x"), .null) }
        #expect(throws: FunctionFailure.self) { try AggregatorFunction("remove")("k" as CaseKey, .text("~"), .null) }
    }

    @Test func `functions that do not exist are refused`() {
        for name in ["", "ID", "nullIf", "last", "last:x", "last:-1", "concat"] {
            #expect(throws: CaseError.self, "\(name)") { try ValueFunction(name) }
        }
        #expect(throws: CaseError.self) { try KeyFunction("upper") }
        #expect(throws: CaseError.self) { try PredicateFunction("starts") }
        #expect(throws: CaseError.self) { try SplitterFunction("id") }
        #expect(throws: CaseError.self) { try AggregatorFunction("cat") }
        #expect(throws: CaseError.self) { try JoinerFunction("outer") }
    }
}

extension CaseKey: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self = .text(text) }
}
