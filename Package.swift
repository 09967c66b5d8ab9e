// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"), .enableUpcomingFeature("ImmutableWeakCaptures"),
    .enableExperimentalFeature("Lifetimes"),  // spans in our own types
]
// The core, which owns raw memory for everyone above, and each importer of a C library.
let unsafeSettings = settings + [.strictMemorySafety()]

// The targets from the ground up: a target imports what lies below it (Docs/Architecture.md), .ci/imports checks.

func library(_ name: String, _ pkgConfig: String, apt: String, brew: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt]), .brew([brew])])
}

func target(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil, isUnsafe: Bool = false) -> Target
{
    .target(
        name: name, dependencies: dependencies, path: path, swiftSettings: isUnsafe ? unsafeSettings : settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil, isUnsafe: Bool = false) -> Target
{
    .executableTarget(
        name: name, dependencies: dependencies, path: path, swiftSettings: isUnsafe ? unsafeSettings : settings)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], isUnsafe: Bool = false
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude,
        swiftSettings: isUnsafe ? unsafeSettings : settings)
}

let libraries: [Target] = [
    library("CXXHash", "libxxhash", apt: "libxxhash-dev", brew: "xxhash"),
    library("CLMDB", "lmdb", apt: "liblmdb-dev", brew: "lmdb"),
    library("CZlib", "zlib", apt: "zlib1g-dev", brew: "zlib"),
    library("CRdKafka", "rdkafka", apt: "librdkafka-dev", brew: "librdkafka"),
    library("CMicroHTTPD", "libmicrohttpd", apt: "libmicrohttpd-dev", brew: "libmicrohttpd"),
    library("CCurl", "libcurl", apt: "libcurl4-openssl-dev", brew: "curl"),
    .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
    target("TributaryCore", ["CLinux"], isUnsafe: true),
    target("TributaryJSON", [], isUnsafe: true),
    target("TributaryFoundation", ["TributaryCore", "TributaryJSON"]),
    target("TributaryLineage", ["TributaryCore", "CXXHash"], isUnsafe: true),
    target("TributaryTelemetry", ["TributaryCore", "TributaryLineage", "CZlib", "CCurl"], isUnsafe: true),
    target("TributaryState", ["TributaryCore", "TributaryLineage"]),
    target(
        "TributaryLMDB", ["TributaryCore", "TributaryLineage", "TributaryState", "CLMDB", "CLinux"], isUnsafe: true),
    target("TributaryKafka", ["TributaryCore", "CRdKafka"], isUnsafe: true),
    target("TributaryDSL", ["TributaryCore", "TributaryLineage", "TributaryState"]),
    target("TributaryRuntime", ["TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL"]),
    target(
        "TributaryTesting",
        ["TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime"]),
    target(
        "Tributary",
        [
            "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
            "TributaryLMDB", "TributaryKafka", "TributaryTelemetry", "TributaryFoundation",
        ]),
    target(
        "TributaryWeb",
        [
            "Tributary", "TributaryCore", "TributaryJSON", "TributaryDSL", "TributaryRuntime", "TributaryTelemetry",
            "CMicroHTTPD",
        ],
        isUnsafe: true),
]

let programs: [Target] = [
    target(
        "TributaryCLI",
        [
            "Tributary", "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
            "TributaryLMDB", "TributaryKafka", "TributaryTelemetry", "TributaryFoundation",
        ]),
    program("tributary-tool", ["TributaryCLI"]),
    target(
        "TributaryConformance",
        [
            "Tributary", "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
            "TributaryLMDB", "TributaryTelemetry", "TributaryTesting",
        ]),
    program("tributary-conformance", ["TributaryConformance"]),
]

let testTargets: [Target] = [
    // Folders and child processes of tests.
    target("TestSupport", [], path: "Tests/TestSupport"),
    tests("TributaryCoreTests", ["TestSupport", "TributaryCore"], exclude: ["murmur2-vectors.json"]),
    tests("TributaryJSONTests", ["TributaryJSON"], exclude: ["JSONTestSuite"]),
    tests("TributaryLineageTests", ["TestSupport", "TributaryCore", "TributaryLineage"], exclude: ["Vectors"]),
    tests("TributaryTelemetryTests", ["TestSupport", "TributaryCore", "TributaryLineage", "TributaryTelemetry"]),
    tests("TributaryStateTests", ["TributaryCore", "TributaryLineage", "TributaryState", "TributaryTesting"]),
    // A second process for the tests of the log: produces, waits, dies when told.
    program("log-test-process", ["TributaryLMDB", "TributaryCore"], path: "Tests/LogTestProcess", isUnsafe: true),
    tests(
        "TributaryLMDBTests",
        [
            "TestSupport", "TributaryLMDB", "TributaryState", "TributaryLineage", "TributaryCore", "TributaryTesting",
            "log-test-process",
        ], isUnsafe: true),
    tests(
        "TributaryKafkaTests",
        ["TestSupport", "Tributary", "TributaryCLI", "TributaryKafka", "TributaryCore", "TributaryTesting"]),
    tests(
        "TributaryDSLTests",
        [
            "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
            "TributaryTesting",
        ]),
    // The runtime on a clock, engines and a log that tests move by hand.
    tests(
        "TributaryRuntimeTests",
        [
            "TestSupport", "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL", "TributaryRuntime",
            "TributaryTelemetry", "TributaryTesting",
        ]),
    tests("TributaryTestingTests", ["TributaryTesting", "TributaryCore"]),
    // Two applications in one process, which gets signals.
    program("signal-test-process", ["TestSupport", "Tributary", "TributaryTesting"], path: "Tests/SignalChild"),
    // An application with the entry point that users take.
    program("program-test-process", ["Tributary"], path: "Tests/ProgramChild"),
    tests(
        "TributaryTests",
        [
            "TestSupport", "Tributary", "TributaryCore", "TributaryLineage", "TributaryState", "TributaryLMDB",
            "TributaryTesting", "signal-test-process",
            "program-test-process",
        ]),
    // Draws the pictures of the operators' pages from runs, and compares.
    tests("PictureTests", ["Tributary", "TributaryTesting"]),
    tests("TributaryWebTests", ["TestSupport", "TributaryWeb", "Tributary", "TributaryCore", "TributaryLMDB"]),
    tests("TributaryCLITests", ["TestSupport", "TributaryCLI", "Tributary", "tributary-tool"]),
    tests("TributaryConformanceTests", ["TestSupport", "TributaryConformance", "TributaryCore"]),
    tests("ConformanceTests", ["TestSupport", "TributaryConformance"], exclude: ["Data"]),
    // The bank app, killed at random points: the application, the process that runs it, the tests that kill that.
    target("CrashApplication", ["Tributary", "TributaryLMDB"], path: "Tests/CrashApplication"),
    program("tributary-crash-child", ["CrashApplication", "Tributary", "TributaryCore"], path: "Tests/CrashChild"),
    tests(
        "CrashTests",
        [
            "TestSupport", "CrashApplication", "Tributary", "TributaryCore", "TributaryLineage", "TributaryLMDB",
            "tributary-crash-child",
            "log-test-process",
        ]),
    // With a real collector and Jaeger, where TRIBUTARY_OTEL_SCRIPT names the script that starts them.
    tests(
        "TelemetryIntegrationTests",
        [
            "TestSupport", "CrashApplication", "Tributary", "TributaryLMDB", "TributaryTelemetry", "TributaryCore",
            "TributaryLineage",
            "tributary-crash-child", "tributary-tool",
        ]),
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    tests(
        "AllocationTests",
        [
            "CAllocationCounter", "TributaryCore", "TributaryLineage", "TributaryState", "TributaryDSL",
            "TributaryRuntime", "TributaryTesting",
        ]),
]

// Programs for libFuzzer; an ordinary build makes empty ones of them.
let fuzzers: [Target] = [
    ("Batch", ["TributaryLMDB", "TributaryCore"]), ("Case", ["TributaryConformance"]),
    ("Cell", ["TributaryLineage", "TributaryCore"]), ("Envelope", ["TributaryLineage", "TributaryCore"]),
    ("Headers", ["TributaryRuntime", "TributaryLineage", "TributaryCore"]),
    ("JSON", ["TributaryJSON"]), ("Positions", ["TributaryRuntime", "TributaryCore"]),
    ("Telemetry", ["TributaryTelemetry", "TributaryCore"]),
].map { (name: String, dependencies: [Target.Dependency]) in
    program("Fuzz\(name)", dependencies, path: "Tests/Fuzz/\(name)", isUnsafe: true)
}

let package = Package(
    name: "tributary",
    products: [
        // With the modules of the machinery, for who writes a log, a store engine or an exporter: `import Tributary` does not bring them.
        .library(
            name: "Tributary",
            targets: [
                "Tributary", "TributaryCore", "TributaryLineage", "TributaryTelemetry", "TributaryState",
                "TributaryDSL",
                "TributaryRuntime", "TributaryLMDB", "TributaryKafka", "TributaryFoundation",
            ]),
        // JSON for `Codable` and for types that read and write themselves; usable alone.
        .library(name: "TributaryJSON", targets: ["TributaryJSON"]),
        .library(name: "TributaryTesting", targets: ["TributaryTesting"]),
        .library(name: "TributaryWeb", targets: ["TributaryWeb"]),
        .executable(name: "tributary", targets: ["tributary-tool"]),
        // For the benchmarks, a package of their own.
        .library(name: "_AllocationCounter", targets: ["CAllocationCounter"]),
    ],
    targets: libraries + programs + testTargets + fuzzers
)
